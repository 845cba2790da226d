"""Segment masses: closed forms, a mesh's own moments, and the table of de Leva 1996."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import trimesh

from marrow.body import load_body
from marrow.body.skinning import SkinWeights
from marrow.errors import InputError
from marrow.skeleton import Skeleton
from marrow.skeleton.inertia import BODY_DENSITY, DE_LEVA, SegmentMasses, body_parts, segment_masses

ONE_SIDE = {"head": 1, "trunk": 1}

#: Centre of mass from the proximal to the distal joint, male and female means: de Leva 1996, Table 4.
CENTRES = {"femur": ("tibia", 0.385), "tibia": ("talus", 0.443), "humerus": ("ulna", 0.577), "ulna": ("hand", 0.456)}


def of(shape: dict[str, float], mass_kg: float | None = None) -> tuple[SegmentMasses, Skeleton]:
    body = load_body("default")
    rest = body.rest(shape)
    skeleton = Skeleton.inside(rest.landmarks)
    weights = body.skin_weights(skeleton.bodies)
    tree = (skeleton.bind, skeleton.bodies, skeleton.parents)
    return segment_masses(rest.vertices, body.faces, weights, *tree, cuts=skeleton.cuts, mass_kg=mass_kg), skeleton


def fractions(masses: SegmentMasses, skeleton: Skeleton) -> dict[str, float]:
    """Mass of each part, one side, over the body's."""
    out = dict.fromkeys(DE_LEVA, 0.0)
    for part, mass in zip(body_parts(skeleton.bodies, skeleton.parents), masses.mass, strict=True):
        out[part] += mass / masses.mass.sum() / ONE_SIDE.get(part, 2)
    return out


def test_the_table_sums_to_one():
    for sex in (0, 1):
        assert sum(ONE_SIDE.get(name, 2) * row[sex] for name, row in DE_LEVA.items()) == pytest.approx(1.0, abs=5e-4)


def test_a_whole_body_has_the_moments_of_its_mesh():
    body = load_body("default")
    rest = body.rest({"gender": 1.0, "weight": 0.8})
    count = len(rest.vertices)
    weights = SkinWeights(np.arange(count + 1, dtype=np.int32), np.zeros(count, np.int32), np.ones(count, np.float32))
    turned = np.eye(4)
    turned[:3, :3], turned[:3, 3] = trimesh.transformations.rotation_matrix(0.7, [1, 2, 3])[:3, :3], [0.3, 0.9, -0.2]
    one = segment_masses(rest.vertices, body.faces, weights, turned[None], ("pelvis",), np.array([-1]))
    mesh = trimesh.Trimesh(rest.vertices.astype(float), body.faces, process=False)
    mesh.apply_transform(np.linalg.inv(turned))
    mesh.density = BODY_DENSITY
    assert one.mass[0] == pytest.approx(mesh.mass, rel=1e-6)
    np.testing.assert_allclose(one.centre[0], mesh.center_mass, atol=1e-6)
    np.testing.assert_allclose(one.inertia[0], mesh.moment_inertia, atol=1e-5 * mesh.moment_inertia.max())


def test_a_bar_is_cut_at_its_joint():
    """A bar of 0.1 × 1 × 0.2 m whose skin bends over 0.2 m around a joint at 40 % of its length."""
    bar = trimesh.creation.box((0.1, 1.0, 0.2)).subdivide_to_size(0.04)
    vertices = bar.vertices + [0, 0.5, 0]
    share = np.clip((vertices[:, 1] - 0.3) / 0.2, 0, 1)
    start = np.arange(0, 2 * len(vertices) + 1, 2, dtype=np.int32)
    weight = np.stack([1 - share, share], 1).astype(np.float32).ravel()
    weights = SkinWeights(start, np.tile(np.int32([0, 1]), len(vertices)), weight)
    bind = np.tile(np.eye(4), (2, 1, 1))
    bind[1, 1, 3] = 0.4
    found = segment_masses(vertices, bar.faces, weights, bind, ("pelvis", "torso"), np.array([-1, 0]), mass_kg=10.0)
    for b, (length, mass) in enumerate(((0.4, 4.0), (0.6, 6.0))):
        assert found.mass[b] == pytest.approx(mass, rel=0.03)
        np.testing.assert_allclose(found.centre[b], [0, length / 2, 0], atol=0.01)
        a, h, c = 0.1**2, length**2, 0.2**2
        expected = mass / 12 * np.array([h + c, a + c, a + h])
        np.testing.assert_allclose(np.diag(found.inertia[b]), expected, rtol=0.08)


def test_man_and_woman_are_near_the_table():
    of_man, of_woman = (fractions(*of({"gender": sex})) for sex in (0.0, 1.0))
    for part, (man, woman) in DE_LEVA.items():
        assert of_man[part] + of_woman[part] == pytest.approx(man + woman, rel=0.01), part
        assert of_man[part] == pytest.approx(man, rel=0.1), part
        assert of_woman[part] == pytest.approx(woman, rel=0.1), part
    assert sum(ONE_SIDE.get(part, 2) * share for part, share in of_man.items()) == pytest.approx(1.0)


def test_centres_of_mass_lie_along_the_limbs():
    """Within 16 % of the limb's length of the table's; its shoulder and hip are cut at planes, not at the joints."""
    for sex in (0.0, 1.0):
        masses, skeleton = of({"gender": sex})
        for stem, (end, expected) in CENTRES.items():
            names = [f"{stem}_r", *(["radius_r"] if stem == "ulna" else [])]
            at = [skeleton.body_index(name) for name in names]
            placed = skeleton.bind[at, :3, 3] + np.einsum("bij,bj->bi", skeleton.bind[at, :3, :3], masses.centre[at])
            centre = masses.mass[at] @ placed / masses.mass[at].sum()
            start, stop = skeleton.bind[at[0], :3, 3], skeleton.bind[skeleton.body_index(f"{end}_r"), :3, 3]
            along = (centre - start) @ (stop - start) / ((stop - start) @ (stop - start))
            assert along == pytest.approx(expected, abs=0.16), stem


#: Radii of gyration over the limb's length (sagittal, longitudinal), means of male and female: the same table.
RADII = {"femur": ("tibia", 0.349, 0.156), "tibia": ("talus", 0.263, 0.098), "humerus": ("ulna", 0.282, 0.153)}


def test_inertias_are_near_the_table():
    for sex in (0.0, 1.0):
        masses, skeleton = of({"gender": sex})
        for stem, (end, across, along) in RADII.items():
            b = skeleton.body_index(f"{stem}_r")
            length = np.linalg.norm(skeleton.offsets[skeleton.body_index(f"{end}_r")])
            radii = np.sqrt(np.diag(masses.inertia[b]) / masses.mass[b]) / length
            np.testing.assert_allclose(radii[[0, 2]], across, rtol=0.15, err_msg=stem)
            assert radii[1] == pytest.approx(along, rel=0.2), stem


#: Lower (mid-hip to navel) and middle (to the xiphoid) part of the trunk, male and female: the same table.
LOWER_TRUNK, MIDDLE_TRUNK = (0.1117, 0.1247), (0.1633, 0.1465)


@pytest.mark.parametrize("sex", [0, 1])
def test_the_trunk_is_divided_between_the_planes_of_the_table(sex):
    """From below: our cut at L5/S1, the table's at the navel (L4), ours at T12/L1, the table's at the xiphoid (T9)."""
    masses, skeleton = of({"gender": float(sex)})
    share = dict(zip(skeleton.bodies, masses.mass / masses.mass.sum(), strict=True))
    pelvis, lumbar = share["pelvis"], share["lumbar_arc"] + share["lumbar"]
    assert pelvis < LOWER_TRUNK[sex] < pelvis + lumbar < LOWER_TRUNK[sex] + MIDDLE_TRUNK[sex]


def test_segments_between_two_joints_of_the_spine_weigh_next_to_nothing():
    masses, skeleton = of({})
    share = dict(zip(skeleton.bodies, masses.mass / masses.mass.sum(), strict=True))
    for arc, after in (("lumbar_arc", "lumbar"), ("thorax_arc", "torso"), ("neck_arc", "head")):
        assert 0 < share[arc] < 0.005 * share[after], arc
    assert share["head"] > 0.06, "the flesh of the neck begins at C7, not at the skull"


@pytest.mark.parametrize("shape", [{}, {"age": -1 / 3}, {"age": 0.1}, {"weight": 1.0, "muscle": 0.0}, {"weight": 0.0}])
def test_every_body_is_physical_and_symmetric(shape):
    masses, skeleton = of(shape)
    assert masses.mass.min() > 0
    moments = np.linalg.eigvalsh(masses.inertia)
    assert (moments > 0).all()
    assert (moments[:, 0] + moments[:, 1] >= moments[:, 2]).all()
    mirror = np.diag([1.0, 1.0, -1.0])  # segment axes: Z to the right
    for b, name in enumerate(skeleton.bodies):
        if name.endswith("_r"):
            other = skeleton.body_index(name[:-1] + "l")
            assert masses.mass[b] == pytest.approx(masses.mass[other], rel=1e-4), name
            np.testing.assert_allclose(masses.centre[b], mirror @ masses.centre[other], atol=1e-4, err_msg=name)
            size = masses.inertia[b].max()
            mirrored = mirror @ masses.inertia[other] @ mirror
            np.testing.assert_allclose(masses.inertia[b], mirrored, atol=1e-3 * size, err_msg=name)


def test_children_have_large_heads_and_short_legs():
    adult, child, newborn = (fractions(*of({"age": age})) for age in (0.75, 1 / 6, -1 / 3))
    assert newborn["head"] > 2 * adult["head"] > 0.12
    assert newborn["head"] > child["head"] > adult["head"]
    assert newborn["thigh"] < child["thigh"] < adult["thigh"]
    masses, _ = of({"age": -1 / 3})
    assert 2.0 < masses.mass.sum() < 5.0


def test_heavy_people_carry_it_on_the_trunk():
    heavy, usual = (fractions(*of({"weight": weight, "muscle": 0.3})) for weight in (1.0, 0.5))
    assert heavy["trunk"] > usual["trunk"]
    assert all(heavy[part] < usual[part] for part in ("head", "hand", "foot"))


def test_a_known_mass_is_kept():
    free, _ = of({})
    known, _ = of({}, mass_kg=80.0)
    assert known.mass.sum() == pytest.approx(80.0)
    scale = 80.0 / free.mass.sum()
    np.testing.assert_allclose(known.mass, scale * free.mass)
    np.testing.assert_allclose(known.inertia, scale * free.inertia, atol=1e-12)
    np.testing.assert_allclose(known.centre, free.centre)


def test_bad_input_is_told():
    for bad in (0.0, -70.0, np.nan):
        with pytest.raises(InputError, match="mass_kg"):
            of({}, mass_kg=bad)
    body = load_body("default")
    rest = body.rest()
    skeleton = Skeleton.inside(rest.landmarks)
    inside_out = body.faces[:, ::-1]
    with pytest.raises(InputError, match="inside out"):
        segment_masses(
            rest.vertices,
            inside_out,
            body.skin_weights(skeleton.bodies),
            skeleton.bind,
            skeleton.bodies,
            skeleton.parents,
        )


def test_every_segment_counts_to_a_part():
    skeleton = Skeleton.inside(load_body("default").rest().landmarks)
    parts = dict(zip(skeleton.bodies, body_parts(skeleton.bodies, skeleton.parents), strict=True))
    assert parts["index_distal_r"] == parts["hand_l"] == "hand"
    assert parts["radius_r"] == "forearm"
    assert parts["toes_l"] == "foot"
    assert parts["clavicle_r"] == parts["scapula_l"] == parts["lumbar"] == parts["thorax_arc"] == "trunk"
    assert parts["neck_arc"] == parts["head"] == "head"
    assert parts["humerus_r"] == "upper_arm"
    assert set(itertools.chain(parts.values())) == set(DE_LEVA)
