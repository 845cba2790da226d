"""Joint centres against the equations' own figures, published proportions, and the rig's own bone heads."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from marrow.body import anatomy, load_body
from marrow.errors import InputError
from marrow.skeleton import Skeleton
from marrow.skeleton.joint_centres import hara, harrington, joint_centres

#: Least and greatest length over stature among adults. Hips: Rajagopal et al. 2016 have 0.091, Harrington's adults up
#: to 0.105; thigh and shank: de Leva 1996 (0.2425 and 0.2493 of men), Rajagopal et al. 2016 (0.239 and 0.235); this
#: body's muscular men are broader in the shoulders than Rajagopal's 0.20.
ADULTS = {
    ("hip_r", "hip_l"): (0.085, 0.105),
    ("hip_r", "knee_r"): (0.22, 0.26),
    ("knee_r", "ankle_r"): (0.22, 0.26),
    ("shoulder_r", "elbow_r"): (0.14, 0.175),
    ("elbow_r", "wrist_r"): (0.13, 0.16),
    ("shoulder_r", "shoulder_l"): (0.17, 0.25),
}


@pytest.fixture(scope="module")
def body():
    return load_body()


def person(body, shape):
    rest = body.rest(shape)
    return rest, joint_centres(anatomy.bony_landmarks(rest))


def adults(count: int) -> list[dict[str, float]]:
    """The prior's adults, young to old, of any weight."""
    rng = np.random.default_rng(5)
    return [
        {
            "gender": rng.uniform(), "age": rng.uniform(2 / 3, 1), "weight": rng.uniform(),
            "muscle": float(np.clip(rng.normal(0.5, 0.15), 0, 1)),
            "height": float(np.clip(rng.normal(0.375, 0.08), 0.215, 0.535)),
            "proportions": float(np.clip(rng.normal(0.5, 0.2), 0.1, 0.9)),
        }
        for _ in range(count)
    ]  # fmt: skip


def test_equations_give_their_papers_figures():
    assert harrington(0.24, 0.15) == pytest.approx([-0.0459, -0.0829, 0.0865], abs=1e-9)
    assert hara(0.9) == pytest.approx([-0.0457, -0.0792, 0.0854], abs=1e-9)
    # below the studied sizes they shrink with the child
    assert harrington(0.08, 0.06) == pytest.approx(harrington(0.16, 0.12) / 2)
    assert hara(0.26) == pytest.approx(hara(0.52) / 2)


def test_adults_have_published_proportions(body):
    for shape in adults(40):
        rest, centres = person(body, shape)
        tall = float(rest.vertices[:, 1].max())
        for (a, b), (low, high) in ADULTS.items():
            assert low <= np.linalg.norm(centres[a] - centres[b]) / tall <= high, (a, b, shape)


def rig_head(rest, bone: str):
    return rest.bone_heads[rest.bones.index(bone)]


def test_hips_lie_inside_the_rigs(body):
    """The rig's hips are some 27 mm too far out on each side, wider apart than those of any adult."""
    rest = body.rest({})
    moved = np.abs(rig_head(rest, "upperleg01.R")[0]) - np.abs(rest.landmarks["hip_r"][0])
    assert 0.020 < moved < 0.032
    rig = np.linalg.norm(rig_head(rest, "upperleg01.R") - rig_head(rest, "upperleg01.L")) / rest.vertices[:, 1].max()
    assert rig > 0.12


@pytest.mark.parametrize("shape", [{}, {"gender": 0.0}, {"gender": 1.0}, {"weight": 1.0}, {"weight": 0.0}])
def test_other_joints_are_near_the_rigs(body, shape):
    """The skin bends about the rig's bone heads: a joint far from them would fold it in the wrong place."""
    rest = body.rest(shape)
    rig = {"knee": "lowerleg01", "ankle": "foot", "shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist"}
    for joint, bone in rig.items():
        away = np.linalg.norm(rest.landmarks[f"{joint}_r"] - rig_head(rest, f"{bone}.R"))
        assert away < 0.022, joint


def test_a_mans_spine_has_the_length_of_its_parts(body):
    """Cervical, thoracic and lumbar part of 12.5, 28 and 18 cm (Gray 1918); the thoracic one along its curve."""
    at = body.rest({"gender": 0.0}).landmarks
    for ends, metres in ((("l5_s1", "t12_l1"), 0.18), (("t12_l1", "t8_body", "neck"), 0.28), (("neck", "head"), 0.125)):
        length = sum(np.linalg.norm(at[b] - at[a]) for a, b in itertools.pairwise(ends))
        assert length == pytest.approx(metres, rel=0.08), ends


@pytest.mark.parametrize("shape", [{}, {"gender": 1.0}, {"age": -1 / 3}, {"age": 0.2}, {"age": 1.0, "weight": 1.0}])
def test_discs_stand_in_their_order_before_the_spinous_processes(body, shape):
    rest = body.rest(shape)
    at, marks = rest.landmarks, anatomy.bony_landmarks(rest)
    column = ["l5_s1", "l5_body", "t12_l1", "t12_body", "t8_body", "neck", "c7_body", "head"]
    assert (np.diff([at[name][1] for name in column]) > 0).all()
    assert all(abs(at[name][0]) < 1e-3 for name in column)
    for vertebra in ("c7", "t8", "t12", "l5"):
        assert at[f"{vertebra}_body"][2] > marks[vertebra][2] + 0.02 * at["head_top"][1], vertebra


@pytest.mark.parametrize("shape", [{}, {"age": -1 / 3}, {"age": 0.2}, {"age": 1.0, "weight": 1.0}, {"weight": 0.0}])
def test_from_newborn_to_old_mirrored_and_inside(body, shape):
    import trimesh

    rest, centres = person(body, shape)
    for name, x in centres.items():
        if name.endswith("_r"):
            assert np.allclose(x * [-1, 1, 1], centres[name[:-1] + "l"], atol=1e-4), name
    mesh = trimesh.Trimesh(rest.vertices, body.faces, process=False)
    joints = [n for n in centres if not n.startswith(("heel", "toe_tip", "head_top")) and "tip" not in n]
    inside = mesh.contains(np.array([centres[n] for n in joints]))
    assert inside.all(), [n for n, good in zip(joints, inside, strict=True) if not good]


def test_the_two_hip_equations_agree_on_the_average_adult(body):
    marks = anatomy.bony_landmarks(body.rest({}))
    a, b = (joint_centres(marks, hip=h)["hip_r"] for h in ("hara", "harrington"))
    assert np.linalg.norm(a - b) < 0.008


def test_a_skeleton_fits_and_many_bodies_go_at_once(body):
    shapes = [{}, {"gender": 1.0}, {"age": 0.3}]
    marks = [anatomy.bony_landmarks(body.rest(s)) for s in shapes]
    together = joint_centres({name: np.stack([m[name] for m in marks]) for name in marks[0]})
    for i, one in enumerate(marks):
        alone = joint_centres(one)
        assert all(np.allclose(together[name][i], alone[name], atol=1e-12) for name in alone)
        skeleton = Skeleton.inside(alone)
        assert np.isfinite(skeleton.bind_q).all()
        # phalanges shorten towards the tip
        lengths = [
            np.linalg.norm(alone[f"middle_{a}_r"] - alone[f"middle_{b}_r"])
            for a, b in (("mcp", "pip"), ("pip", "dip"), ("dip", "tip"))
        ]
        assert lengths[0] > lengths[1] > lengths[2]


def test_faults_are_told(body):
    marks = anatomy.bony_landmarks(body.rest({}))
    with pytest.raises(InputError, match="psis_l"):
        joint_centres({k: v for k, v in marks.items() if k != "psis_l"})
    with pytest.raises(InputError, match="finite"):
        joint_centres(marks | {"asis_r": np.full(3, np.nan)})
    with pytest.raises(InputError, match="hara"):
        joint_centres(marks, hip="bell")  # type: ignore[arg-type]
