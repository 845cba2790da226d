"""The shoulder blade slides over the ribs: it neither dives into the chest nor lifts off as the shoulder is raised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from scipy.special import logsumexp

from marrow.body import anatomy, load_body
from marrow.skeleton import Skeleton
from marrow.skeleton.bones import bone_meshes
from marrow.skeleton.definition import FOLLOWERS

#: Shape, and the most that the border's distance from the ribs may change over all positions (mm).
PEOPLE = {
    "average": ({}, 9.0),
    "man": ({"gender": 0.0}, 9.0),
    "woman": ({"gender": 1.0}, 9.0),
    "child": ({"age": 0.2}, 11.0),
    "heavy": ({"weight": 1.0}, 9.0),
}
#: Degrees by which the clavicle is raised, and brought forward.
RAISED, FORWARD = np.linspace(-5.0, 25.0, 13), np.linspace(-15.0, 15.0, 7)

#: Metres over which the edges of the rib cage's hull are rounded: about half a rib's width.
_ROUNDING = 0.004


@dataclass(frozen=True)
class Girdle:
    """A person's skeleton, where the medial border of each scapula has its middle at rest, and the rib cage there."""

    skeleton: Skeleton
    border: dict[str, np.ndarray]
    normals: np.ndarray
    offsets: np.ndarray
    most: float

    def away(self, x: np.ndarray) -> np.ndarray:
        """Smooth signed distance (...,) of points (..., 3) from the rib cage, metres, up to a constant."""
        return _ROUNDING * logsumexp((x @ self.normals.T + self.offsets) / _ROUNDING, axis=-1)

    def borders(self, side: str, *, follow: bool) -> np.ndarray:
        """(13, 7, 3) middle of the medial border as the clavicle moves, in the world: the trunk stays as it is."""
        skeleton, q = self.skeleton, np.tile(self.skeleton.bind_q, (len(RAISED), len(FORWARD), 1))
        q[..., skeleton.index(f"clav_elevation_{side}")] += np.radians(RAISED)[:, None]
        q[..., skeleton.index(f"clav_protraction_{side}")] += np.radians(FORWARD)
        for f in FOLLOWERS:
            if follow and f.leader == f"clav_elevation_{side}":
                q[..., skeleton.index(f.name)] += f.ratio * np.radians(RAISED)[:, None]
        b = skeleton.body_index(f"scapula_{side}")
        local = skeleton.bind[b, :3, :3].T @ (self.border[side] - skeleton.bind[b, :3, 3])
        R, p = skeleton.forward(q)
        return p[..., b, :] + R[..., b, :, :] @ local

    def changes(self, side: str, *, follow: bool = True) -> np.ndarray:
        """(13, 7) millimetres by which the border has moved away from the ribs."""
        return 1000 * (self.away(self.borders(side, follow=follow)) - self.away(self.border[side]))


@pytest.fixture(scope="module", params=PEOPLE)
def girdle(request) -> Girdle:
    shape, most = PEOPLE[request.param]
    rest = load_body().rest(shape)
    marks = anatomy.bony_landmarks(rest)
    meshes = bone_meshes(marks, rest.landmarks)
    cage = [meshes[f"rib_{k}_{side}"] for k in range(1, 10) for side in "rl"] + [meshes["sternum"]]
    hull = ConvexHull(np.concatenate([mesh.vertices for mesh in cage]).astype(float))
    border = {s: 0.5 * (marks[f"scapula_trigonum_{s}"] + marks[f"scapula_inferior_{s}"]) for s in "rl"}
    return Girdle(Skeleton.inside(rest.landmarks), border, hull.equations[:, :3], hull.equations[:, 3], most)


def test_at_rest_the_blade_lies_on_the_ribs(girdle):
    """Its middle stands off the hull of the ribs by the blade itself and the muscle under it."""
    for side in "rl":
        off = (girdle.normals @ girdle.border[side] + girdle.offsets).max()
        assert 0.005 < off < 0.035


def test_raising_the_shoulder_keeps_the_blade_on_the_ribs(girdle):
    neutral = list(FORWARD).index(0.0)
    assert np.abs(girdle.changes("r")[:, neutral]).max() < 5.0


def test_raised_and_brought_forward_it_stays_near(girdle):
    """The follower knows of the raising only. Of all positions four in five are within 5 mm; the worst are a shoulder
    drawn back while it is low and one brought forward while it is high: 9 mm in adults, 11 mm in a child of five."""
    change = girdle.changes("r")
    assert np.mean(np.abs(change) <= 5.0) >= 0.79
    assert np.sqrt(np.mean(change**2)) < 4.0
    assert np.abs(change).max() < girdle.most
    assert change.min() > -6.0, "towards the ribs there is less room than away from them"


def test_a_blade_that_did_not_follow_would_lift_off(girdle):
    neutral = list(FORWARD).index(0.0)
    stiff = girdle.changes("r", follow=False)
    assert stiff[:, neutral].max() > 10.0
    assert np.mean(np.abs(stiff) <= 5.0) < 0.55


def test_left_is_the_mirror_image_of_right(girdle):
    np.testing.assert_allclose(
        girdle.borders("l", follow=True) * [-1.0, 1.0, 1.0], girdle.borders("r", follow=True), atol=1e-4
    )
    np.testing.assert_allclose(girdle.changes("l"), girdle.changes("r"), atol=0.1)
