"""Scaling: known sizes are found, with and without a setup; OpenSim's shipped result; faulty files."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import opensim
import pytest
from toy_models import legs, standing

from marrow.clinical.measures import write_setup
from marrow.clinical.opensim_tools import load_model
from marrow.clinical.scaling import scale_model
from marrow.errors import InputError, OutputError
from marrow.io.trc import MarkerData, write_trc

SHARED = Path(__file__).parents[3] / "shared" / "data" / "opensim"
GAIT = SHARED / "Pipelines" / "Gait2392_Simbody"
GENERIC = SHARED / "Models" / "Gait2392_Simbody" / "gait2392_thelen2003muscle.osim"

SIZES = {"pelvis": 1.05, "femur": 1.10, "tibia": 0.95, "foot": 1.2}

SETUP = """<?xml version="1.0" encoding="UTF-8"?>
<OpenSimDocument Version="40000"><ScaleTool name="x"><mass>61</mass>
<GenericModelMaker><model_file>m.osim</model_file></GenericModelMaker>
<ModelScaler><apply>true</apply><scaling_order>measurements</scaling_order><marker_file>s.trc</marker_file>
<time_range>0 1</time_range><preserve_mass_distribution>true</preserve_mass_distribution>
<MeasurementSet name="x"><objects><Measurement name="shank"><apply>true</apply>
<MarkerPairSet><objects><MarkerPair><markers>{first} R.Shank</markers></MarkerPair></objects></MarkerPairSet>
<BodyScaleSet><objects><BodyScale name="tibia_r"><axes>Y</axes></BodyScale></objects></BodyScaleSet>
</Measurement></objects></MeasurementSet></ModelScaler>
<MarkerPlacer><apply>false</apply></MarkerPlacer></ScaleTool></OpenSimDocument>
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    legs(tmp_path / "m.osim")
    write_trc(tmp_path / "s.trc", standing(SIZES, noise_m=0.001))
    return tmp_path


def test_sizes_are_found_without_a_setup(files):
    found = scale_model(files / "o.osim", model=files / "m.osim", markers=files / "s.trc", mass_kg=70)
    for body, (x, y, z) in found.factors.items():
        assert x == y == z
        # Markers beside the joints make a distance across a joint a little more than the segment's own.
        assert x == pytest.approx(SIZES[body.split("_")[0]], rel=0.02), body
    assert found.mass_kg == pytest.approx(70)
    assert found.rms_m is not None
    assert found.rms_m < 0.01
    scaled = opensim.Model(str(files / "o.osim"))
    assert scaled.getTotalMass(scaled.initSystem()) == pytest.approx(70)


def test_markers_are_moved_to_where_they_were(files):
    scale_model(files / "o.osim", model=files / "m.osim", markers=files / "s.trc")
    model = opensim.Model(str(files / "o.osim"))
    state = model.initSystem()
    static = standing(SIZES)
    markers = model.getMarkerSet()
    ours = np.array([markers.get(name).getLocationInGround(state).to_numpy() for name in static.names])
    theirs = static.xyz[0]
    apart = np.linalg.norm(ours[:, None] - ours[None], axis=-1) - np.linalg.norm(
        theirs[:, None] - theirs[None], axis=-1
    )
    assert np.abs(apart).max() < 0.02


def test_a_setup_says_what_is_scaled_and_options_replace_it(files):
    (files / "setup.xml").write_text(SETUP.format(first="R.Ankle"))
    found = scale_model(files / "o.osim", setup=files / "setup.xml")
    assert found.factors["tibia_r"] == pytest.approx((1, 0.95, 1), abs=0.01)
    assert found.factors["femur_r"] == (1, 1, 1)
    assert found.mass_kg == pytest.approx(61)
    assert found.rms_m is None
    write_trc(files / "t.trc", standing({"tibia": 1.3}, units="m"))
    other = scale_model(files / "p.osim", setup=files / "setup.xml", markers=files / "t.trc", mass_kg=50)
    assert other.factors["tibia_r"][1] == pytest.approx(1.3, abs=0.01)
    assert other.mass_kg == pytest.approx(50)


def test_without_a_mass_the_model_keeps_its_own(files):
    assert scale_model(files / "o.osim", model=files / "m.osim", markers=files / "s.trc").mass_kg == pytest.approx(35)


def refused(text: str, *args, **options) -> None:
    with pytest.raises(InputError, match=text) as caught:
        scale_model(*args, **options)
    assert "\n" not in str(caught.value)


def test_faulty_files_are_told(files):
    out, model, static = files / "o.osim", files / "m.osim", files / "s.trc"
    refused("both a model", out, model=model)
    refused("suffix", files / "o.txt", model=model, markers=static)
    refused("kilograms", out, model=model, markers=static, mass_kg=70_000)
    refused("no such file", out, model=files / "none.osim", markers=static)
    (files / "setup.xml").write_text(SETUP.format(first="R.Ankel"))
    refused("marker 'R.Ankel', which is not in the static trial", out, setup=files / "setup.xml")
    (files / "setup.xml").write_text(SETUP.format(first="R.Ankle").replace("s.trc", "away.trc"))
    refused(r"away.trc: no such file \(static trial that setup.xml names\)", out, setup=files / "setup.xml")
    (files / "setup.xml").write_text("<a><b></a>")
    refused("setup.xml", out, setup=files / "setup.xml")
    small = standing(dict.fromkeys(SIZES, 0.1))
    write_trc(files / "small.trc", small)
    text = (files / "s.trc").read_text()
    (files / "unit.trc").write_text(text.replace("\tmm\t", "\tm\t"))
    refused(r"Are the values in mm", out, model=model, markers=files / "unit.trc")
    right = scale_model(files / "right.osim", model=model, markers=files / "unit.trc", units="mm")
    assert right.factors["femur_r"][0] == pytest.approx(SIZES["femur"], rel=0.02)
    refused(r"scaled by 0\.1.*Is the unit", out, model=model, markers=files / "small.trc")
    strange = small.__class__(tuple(f"x{k}" for k in range(14)), small.time, small.xyz, 50.0, "m")
    write_trc(files / "strange.trc", strange)
    refused("share no marker.*R.ASIS.*x0, x1", out, model=model, markers=files / "strange.trc")
    with pytest.raises(OutputError, match="folder does not exist"):
        scale_model(files / "no" / "o.osim", model=model, markers=static)
    assert not list(files.glob("o.*")), "nothing half-written"


def test_a_moving_person_is_told(files):
    moving = standing(SIZES)
    moving.xyz[:, 3] += np.linspace(0, 0.2, 51)[:, None]
    write_trc(files / "s.trc", moving)
    found = scale_model(files / "o.osim", model=files / "m.osim", markers=files / "s.trc")
    assert any("did the person stand" in warning for warning in found.warnings)


def test_nothing_is_printed_and_no_log_is_left(files, monkeypatch, capfd):
    monkeypatch.chdir(files)
    scale_model(files / "o.osim", model=files / "m.osim", markers=files / "s.trc")
    assert capfd.readouterr() == ("", "")
    assert sorted(path.name for path in files.iterdir()) == ["m.osim", "o.osim", "s.trc"]


def place_in_pelvis(model: opensim.Model, state: opensim.State, name: str) -> np.ndarray:
    bodies = model.getBodySet()
    return bodies.get(name).findStationLocationInAnotherFrame(state, opensim.Vec3(0), bodies.get("pelvis")).to_numpy()


def test_the_shipped_subject(tmp_path):
    """Masses and places of all bodies as in the scaled model that OpenSim's authors ship."""
    if not SHARED.exists():
        pytest.skip("../shared/data/opensim is not here")
    out = tmp_path / "subject01.osim"
    found = scale_model(out, setup=GAIT / "subject01_Setup_Scale.xml", model=GENERIC)
    assert found.mass_kg == pytest.approx(72.6)
    assert found.factors["femur_l"] == pytest.approx((1.14724,) * 3)
    ours, theirs = opensim.Model(str(out)), opensim.Model(str(GAIT / "OutputReference" / "subject01_simbody.osim"))
    states = ours.initSystem(), theirs.initSystem()
    for k in range(theirs.getBodySet().getSize()):
        name = theirs.getBodySet().get(k).getName()
        assert ours.getBodySet().get(name).get_mass() == pytest.approx(
            theirs.getBodySet().get(name).get_mass(), abs=1e-6
        )
        places = [place_in_pelvis(m, s, name) for m, s in zip((ours, theirs), states, strict=True)]
        np.testing.assert_allclose(places[0], places[1], atol=1e-5)


def test_measures_of_another_model(tmp_path):
    """Joint centres and condyles are taken, and clusters on thigh and shank are not."""
    path = SHARED / "Models" / "Rajagopal" / "RajagopalLaiUhlrich2023.osim"
    if not path.exists():
        pytest.skip("../shared/data/opensim is not here")
    model = load_model(path)
    markers, state = model.getMarkerSet(), model.getWorkingState()
    all_of_them = [markers.get(k) for k in range(markers.getSize())]
    places = np.array([marker.getLocationInGround(state).to_numpy() for marker in all_of_them])
    names = tuple(marker.getName() for marker in all_of_them)
    static = MarkerData(names, np.arange(5) / 10, np.repeat(places[None], 5, axis=0), 10.0)
    write_setup(tmp_path / "s.xml", model, static)
    measures = {
        one.get("name"): {frozenset((pair.text or "").split()) for pair in one.iter("markers")}
        for one in ET.parse(tmp_path / "s.xml").iter("Measurement")
    }
    assert measures["pelvis"] == {frozenset(("LASI", "RASI"))}
    assert measures["femur_r"] == {frozenset(("RHJC", "RLFC")), frozenset(("LHJC", "LLFC"))}
    assert measures["tibia_r"] == {frozenset(("RKJC", "RAJC")), frozenset(("LKJC", "LAJC"))}
    bodies = {
        body.get("name"): one.get("name")
        for one in ET.parse(tmp_path / "s.xml").iter("Measurement")
        for body in one.iter("BodyScale")
    }
    assert len(bodies) == model.getBodySet().getSize()
    assert bodies["talus_l"] == bodies["calcn_r"]
    assert bodies["ulna_r"] == bodies["radius_l"] != bodies["humerus_r"]
    assert bodies["patella_r"] == bodies["femur_r"]


def test_measures_of_our_own_agree_with_the_authors(tmp_path):
    """Without their setup the same markers are chosen for thigh and pelvis, and the markers fit at least as well."""
    if not SHARED.exists():
        pytest.skip("../shared/data/opensim is not here")
    given = {"model": GENERIC, "markers": GAIT / "subject01_static.trc", "mass_kg": 72.6}
    ours = scale_model(tmp_path / "a.osim", marker_set=GAIT / "gait2392_Scale_MarkerSet.xml", **given)
    theirs = scale_model(tmp_path / "b.osim", setup=GAIT / "subject01_Setup_Scale.xml", **given)
    # What their measures give; their setup then replaces thigh and shank by hand.
    measured = {"pelvis": 1.0246, "femur_r": 1.0706, "tibia_r": 1.1140, "calcn_r": 1.0271, "torso": 1.0797}
    for body, factor in measured.items():
        assert ours.factors[body][0] == pytest.approx(factor, rel=0.07), body
        assert ours.factors[body][0] == ours.factors[body.replace("_r", "_l")][0]
    assert ours.rms_m is not None
    assert theirs.rms_m is not None
    assert ours.rms_m <= theirs.rms_m
