import numpy as np
import pytest

from marrow.errors import InputError
from marrow.view.curves import plot_angles

TIME = np.linspace(0, 1, 31)
ANGLES = {"knee_angle_r": 30 * TIME, "knee_angle_l": 30 - 30 * TIME, "lumbar_extension": np.zeros(31)}


def test_right_and_left_share_a_panel_and_the_band_is_95_percent():
    sd = {"knee_angle_r": np.full(31, 2.0)}
    figure = plot_angles(TIME, ANGLES, sd, names=("knee_angle", "lumbar_extension"))
    knee, lumbar = figure.axes
    assert [line.get_label() for line in knee.get_lines()] == ["right", "left"]
    np.testing.assert_allclose(knee.get_lines()[0].get_ydata(), ANGLES["knee_angle_r"])
    band = knee.collections[0].get_datalim(knee.transData)
    assert band.y0 == pytest.approx(-3.92)
    assert band.y1 == pytest.approx(33.92)
    assert len(lumbar.get_lines()) == 1


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(InputError, match="knee_angle_r"):
        plot_angles(TIME, ANGLES, names=("knee_angle_rr",))
