"""docs/coordinates.md says of every coordinate what the code does: names, segments, axes, ranges, signs, figures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from marrow.body import anatomy, load_body
from marrow.conventions import R_GROUND_WORLD, to_ground
from marrow.geometry import rotations
from marrow.skeleton import Skeleton, definition, kinematics
from marrow.skeleton.osim import Kinematics, read_osim
from marrow.skeleton.tree import HINGE, whole
from marrow.types import Float64

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "coordinates.md").read_text(encoding="utf-8")
GALLERY = DOCS / "gallery" / "coordinates"
MODELS = DOCS.parents[1] / "shared" / "data" / "opensim"

#: Coordinates of Rajagopal2016.osim that ours mean the same as, without their sides.
RAJAGOPAL = {
    "pelvis_tilt", "pelvis_list", "pelvis_rotation", "pelvis_tx", "pelvis_ty", "pelvis_tz", "hip_flexion",
    "hip_adduction", "hip_rotation", "knee_angle", "ankle_angle", "subtalar_angle", "mtp_angle", "lumbar_extension",
    "lumbar_bending", "lumbar_rotation", "arm_flex", "arm_add", "arm_rot", "elbow_flex", "pro_sup", "wrist_flex",
    "wrist_dev",
}  # fmt: skip
#: Points that the page names, and the landmarks they are; ``{f}`` is the finger that the coordinate belongs to.
POINTS = {
    "pelvis": "pelvis", "sacrum": "sacrum", "right hip": "hip_r", "knee": "knee", "toes": "toe_tip", "heel": "heel",
    "neck": "neck", "right shoulder": "acromion_r", "nose": "sellion", "crown": "head_top", "shoulder": "acromion",
    "medial border": "scapula_trigonum", "lower angle": "scapula_inferior", "elbow": "elbow", "hand": "middle_mcp",
    "thumb": "thumb_tip", "knuckles": "middle_mcp", "tip of the thumb": "thumb_tip", "fingertip": "{f}_tip",
}  # fmt: skip
#: Segments of the bony points; joint centres and ends know theirs.
CARRIED = {
    "sacrum": "pelvis", "acromion": "scapula", "sellion": "head", "scapula_trigonum": "scapula",
    "scapula_inferior": "scapula",
}  # fmt: skip
#: In OpenSim's ground, for the right side; *outward* and *inward* are mirrored on the left.
DIRECTIONS = {
    "forward": (1, 0, 0), "backward": (-1, 0, 0), "up": (0, 1, 0), "down": (0, -1, 0), "right": (0, 0, 1),
    "left": (0, 0, -1), "outward": (0, 0, 1), "inward": (0, 0, -1),
}  # fmt: skip
#: Other coordinates that the phrase speaks of, degrees.
POSE = {"gh_rot": {"elbow_flex": 90.0}, "arm_rot": {"elbow_flex": 90.0}}
#: The tree's coordinate that turns a derived angle alone.
DRIVER = {
    "lumbar_extension": "thorax_extension", "lumbar_bending": "thorax_bending", "lumbar_rotation": "thorax_rotation",
    "arm_flex": "gh_flex", "arm_add": "gh_add", "arm_rot": "gh_rot",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row of the page: one coordinate, or a right and a left one."""

    stem: str
    sides: tuple[str, ...]
    segment: str
    against: str
    order: int
    axis: str
    range: str
    positive: str
    meaning: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.stem + side for side in self.sides)


def rows(page: str) -> list[Row]:
    """The page's tables of coordinates."""
    out = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 6 or not cells[0].startswith("`") or " / " not in cells[1]:
            continue
        name = re.fullmatch(r"`(\w+?)(_r, _l)?`", cells[0])
        order = re.fullmatch(r"(\d)\. (.+)", cells[2])
        assert name, line
        assert order, line
        segment, against = cells[1].split(" / ")
        sides = ("_r", "_l") if name[2] else ("",)
        out.append(Row(name[1], sides, segment, against, int(order[1]), order[2], *cells[3:]))
    return out


ROWS = rows(PAGE)
TREE = [row for row in ROWS if row.range != "derived"]
BY_NAME = {name: row for row in ROWS for name in row.names}


@pytest.fixture(scope="module")
def person() -> tuple[Skeleton, dict[str, tuple[int, Float64]]]:
    """A skeleton, and of every landmark the segment that carries it and where it is there."""
    rest = load_body().rest()
    skeleton = Skeleton.inside(rest.landmarks)
    ends = zip(skeleton.point_body, skeleton.point_local, strict=True)
    points = {name: (int(b), x) for name, (b, x) in zip(skeleton.point_names, ends, strict=True)}
    for name, x in anatomy.bony_landmarks(rest).items():
        stem, side = (name[:-2], name[-2:]) if name.endswith(("_r", "_l")) else (name, "")
        if stem in CARRIED:
            b = skeleton.body_index(CARRIED[stem] + side)
            points[name] = (b, skeleton.bind[b, :3, :3].T @ (x - skeleton.bind[b, :3, 3]))
    return skeleton, points


def faults(page: str) -> list[str]:
    """What a page says otherwise than the definition, or not at all."""
    table = rows(page)
    told = [name for row in table for name in row.names]
    known = {*definition.COORDINATES, *definition.DERIVED}
    found = [f"{name}: not on the page" for name in sorted(known - set(told))]
    found += [f"{name}: not in the skeleton" for name in sorted(set(told) - known)]
    found += [f"{name}: twice" for name in sorted({name for name in told if told.count(name) > 1})]
    joints = {c.name: (joint, k, c) for joint in definition.JOINTS for k, c in enumerate(joint.coordinates, 1)}
    for row in table:
        if row.names[0] in joints:
            joint, order, coordinate = joints[row.names[0]]
            side = row.sides[0]
            parent = "ground" if joint.parent is None else joint.parent.removesuffix(side)
            free = np.isinf(coordinate.low)
            wanted = "free" if free else f"{coordinate.low:g} to {coordinate.high:g}"
            pairs = [
                (row.range, wanted),
                (row.segment, joint.body.removesuffix(side)),
                (row.against, parent),
                (row.order, order),
            ]
            found += [f"{row.stem}: {said!r} instead of {code!r}" for said, code in pairs if said != code]
            if np.abs(np.array(axis_of(row.axis)) - coordinate.axis).max() > 0.00501:
                found.append(f"{row.stem}: axis {row.axis} instead of {coordinate.axis}")
        if row.meaning != ("R" if row.stem in RAJAGOPAL else "own"):
            found.append(f"{row.stem}: meaning {row.meaning!r}")
    return found


def axis_of(words: str) -> tuple[float, ...]:
    """``-X`` or ``(0.1, 0.2, 0.97)`` as numbers."""
    if words[-1] in "XYZ":
        sign = -1.0 if words[0] == "-" else 1.0
        return tuple(sign * (letter == words[-1]) for letter in "XYZ")
    return tuple(float(number) for number in words.strip("()").split(","))


def test_the_page_says_what_the_definition_says() -> None:
    assert faults(PAGE) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("-30 to 140", "-30 to 120", "hip_flexion: '-30 to 120'"),
        ("| `gh_rot_r, _l` |", "| gh_rot |", "gh_rot_l: not on the page"),
        ("| `lumbar_rotation` |", "| lumbar |", "lumbar_rotation: not on the page"),
        ("(0.79, 0.60, -0.12)", "(0.79, 0.60, 0.12)", "subtalar_angle: axis"),
        ("2. -X | -10 to 45", "2. X | -10 to 45", "clav_elevation: axis"),
        ("humerus / scapula | 2. X", "humerus / clavicle | 3. X", "gh_add: 'clavicle'"),
        ("`pro_sup_r, _l`", "`pro_sub_r, _l`", "pro_sub_r: not in the skeleton"),
    ],
)
def test_a_wrong_page_is_found(old: str, new: str, fault: str) -> None:
    assert old in PAGE
    assert any(found.startswith(fault) for found in faults(PAGE.replace(old, new)))


def test_the_left_side_mirrors_the_right() -> None:
    joints = {c.name: c for joint in definition.JOINTS for c in joint.coordinates}
    for row in TREE:
        if len(row.sides) == 2:
            right, left = (joints[name] for name in row.names)
            x, y, z = right.axis
            np.testing.assert_array_equal(left.axis, (-x, -y, z))
            assert (left.low, left.high) == (right.low, right.high)


def phrase(row: Row) -> tuple[str, Float64]:
    """Landmark (without its side) and direction of what is bold in a row."""
    bold = re.fullmatch(rf"(.+) ({'|'.join(DIRECTIONS)})", re.findall(r"\*\*(.+?)\*\*", row.positive)[0])
    assert bold, row.positive
    return POINTS[bold[1]].format(f=row.stem.split("_")[0]), np.array(DIRECTIONS[bold[2]], float)


def moved(person, q: Float64, name: str) -> Float64:
    """(T, 3) places of a landmark in OpenSim's ground."""
    skeleton, points = person
    R, p = skeleton.forward(q)
    b, local = points[name]
    return to_ground(p[:, b] + R[:, b] @ local)


@pytest.mark.parametrize("name", BY_NAME)
def test_positive_means_what_the_page_says(person, name: str) -> None:
    skeleton, row = person[0], BY_NAME[name]
    side = name.removeprefix(row.stem)
    point, direction = phrase(row)
    if side and direction[2]:
        direction = direction * (1.0 if side == "_r" else -1.0)
    q = np.zeros((2, len(skeleton.coordinates)))
    for other, degrees in POSE.get(row.stem, {}).items():
        q[:, skeleton.index(other + side)] = np.radians(degrees)
    driver = DRIVER.get(row.stem, row.stem) + side
    q[1, skeleton.index(driver)] = 0.05 if row.stem in ("pelvis_tx", "pelvis_ty", "pelvis_tz") else np.radians(5.0)
    first, second = moved(person, q, point if point in person[1] else point + side)
    way = second - first
    assert np.linalg.norm(way) > 0.0005
    assert way @ direction / np.linalg.norm(way) > 0.6, f"{row.positive}: {way}"
    if row.range == "derived":
        angle = skeleton.derived_angles(q)[name]
        np.testing.assert_allclose(np.degrees(angle), [0.0, 5.0], atol=1e-9)


@pytest.mark.parametrize("name", [row.names[0] for row in TREE if row.range != "free"])
def test_rows_of_a_joint_multiply_in_their_order(name: str) -> None:
    """The page's axes and order make the joint's rotation; a knee's coupled turns come after."""
    tree, row = whole(), BY_NAME[name]
    segment = row.segment + row.sides[0]
    own = [r for r in TREE if (r.segment, r.sides) == (row.segment, row.sides)]
    q = np.zeros(len(tree.coordinates))
    R = np.eye(3)
    for k, r in enumerate(own):
        assert r.order == k + 1
        angle = 0.3 + 0.2 * k
        q[tree.coordinates.index(r.names[0])] = angle
        R = R @ rotations.axis_angle(axis_of(r.axis), angle)
    if segment.startswith("tibia"):
        adduction, rotation = (driven[1] for driven in coupled_turns(float(np.degrees(0.3))))
        R = R @ rotations.axis_angle((0.99, 0.12, -0.01), np.radians(adduction))
        R = R @ rotations.axis_angle((-0.12, 0.99, -0.07), np.radians(rotation))
    made = kinematics.joint_rotations(tree, q)[tree.bodies.index(segment)]
    np.testing.assert_allclose(R, made, atol=0.008)


@pytest.mark.parametrize("file", ["LaiUhlrich2022/LaiUhlrich2022.osim", "Models/Rajagopal/Rajagopal2016.osim"])
def test_rows_marked_r_turn_as_the_models_do(person, file: str) -> None:
    """All at once, at random values: each segment against the other as there."""
    if not (MODELS / file).exists():
        pytest.skip(f"{file} is not on this machine")
    theirs = Kinematics(read_osim(MODELS / file))
    skeleton, rng, compared = person[0], np.random.default_rng(0), 0
    for _ in range(5):
        q, x = np.zeros(len(skeleton.coordinates)), np.zeros(len(theirs.coordinates))
        for name, row in BY_NAME.items():
            if row.meaning == "R" and name in theirs.coordinates and row.range != "derived":
                q[skeleton.index(name)] = x[theirs.index(name)] = rng.uniform(0.0, 1.2)
        for name in definition.DERIVED:
            x[theirs.index(name)] = rng.uniform(-0.6, 0.6)
        ours, (R, _) = skeleton.joint_rotations(q), theirs.forward(x)
        ours[0] = R_GROUND_WORLD @ ours[0]
        for row in ROWS:
            for name, side in zip(row.names, row.sides, strict=True):
                if row.meaning != "R" or name not in theirs.coordinates:
                    continue
                there = R[theirs.bodies.index(row.segment + side)]
                if row.against != "ground":
                    against = row.against if row.against in theirs.bodies else row.against + side
                    there = R[theirs.bodies.index(against)].T @ there
                if row.range == "derived":
                    angle = rotations.euler_zxy(there)[row.order - 1]
                    sign = -1.0 if side == "_l" and row.order > 1 else 1.0
                    np.testing.assert_allclose(sign * angle, x[theirs.index(name)], atol=1e-6, err_msg=name)
                else:
                    body = skeleton.body_index(row.segment + side)
                    np.testing.assert_allclose(ours[body], there, atol=2e-5, err_msg=name)
                compared += 1
    assert compared >= 5 * 33


def coupled_turns(degrees: float) -> list[tuple[Float64, float]]:
    """Axis and degrees of the knee's turns after the flexion."""
    tree = whole()
    b = tree.bodies.index("tibia_r")
    q = np.zeros(len(tree.coordinates))
    q[tree.coordinates.index("knee_angle_r")] = np.radians(degrees)
    terms = list(kinematics.of_joint(tree.turns, b))[1:]
    return [(tree.turns.axis[i], float(np.degrees(kinematics.driven(tree.turns, i, q)))) for i in terms]


def test_the_knee_turns_and_glides_as_the_page_says() -> None:
    tree = whole()
    b = tree.bodies.index("tibia_r")
    assert tree.kind[b] == HINGE
    said = np.array(re.findall(r"^\| (\d+) " + r"\| (-?[\d.]+) " * 5 + r"\|$", PAGE, re.MULTILINE), float)
    np.testing.assert_array_equal(said[:, 0], [0, 30, 60, 90, 120])
    length = np.zeros(len(tree.bodies))
    length[b] = 0.4096
    for line in said:
        q = np.zeros(len(tree.coordinates))
        q[tree.coordinates.index("knee_angle_r")] = np.radians(line[0])
        glide = 1000 * kinematics.joint_places(tree, q, np.zeros((len(tree.bodies), 3)), length)[b]
        turns = [degrees for _, degrees in coupled_turns(line[0])]
        np.testing.assert_allclose(line[1:], [*turns, *glide], atol=0.0501)
    for (axis, _), words in zip(coupled_turns(0.0), ("(0.99, 0.12, -0.01)", "(-0.12, 0.99, -0.07)"), strict=True):
        assert words in PAGE
        np.testing.assert_allclose(axis_of(words), axis, atol=0.00501)
    q = np.zeros(len(tree.coordinates))
    q[tree.coordinates.index("knee_angle_r")] = np.pi / 2
    seen = np.degrees(rotations.euler_zxy(kinematics.joint_rotations(tree, q)[b]))
    assert f"{-seen[0]:.1f}°, {seen[1]:.1f}° and {seen[2]:.1f}°" in PAGE


def test_the_table_of_followers_is_the_definitions() -> None:
    said = re.findall(r"^\| `(\w+?)(_r, _l)?` \| `(\w+?)(_r, _l)?` \| ([\d.]+) \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    told = set()
    for name, sides, leader, _, ratio, sd in said:
        for side in ("_r", "_l") if sides else ("",):
            told.add((name + side, leader + side, float(ratio), float(sd)))
    assert told == {(f.name, f.leader, f.ratio, f.sd) for f in definition.FOLLOWERS}


def test_figures_of_the_pelvis() -> None:
    for gender, who in ((0.0, "man"), (1.0, "woman")):
        rest = load_body().rest({"gender": gender})
        bony = anatomy.bony_landmarks(rest)
        line = sum(bony[f"psis_{s}"] - bony[f"asis_{s}"] for s in "rl")
        drop = np.degrees(np.arctan2(line[1], -line[2]))
        assert f"{drop:.0f}° on the average {who}" in PAGE
        assert round(100 * rest.landmarks["pelvis"][1] / rest.vertices[:, 1].max()) == 57


def test_formula_and_second_reading_of_the_derived_angles() -> None:
    """``z, x, y = atan2(...)`` as on the page, and the other three angles of the same turn."""
    angles = np.array([0.4, -0.7, 1.1])
    R = rotations.from_euler_zxy(angles)
    assert "atan2(-R[0,1], R[1,1]), asin(R[2,1]), atan2(-R[2,0], R[2,2])" in PAGE
    said = np.arctan2(-R[0, 1], R[1, 1]), np.arcsin(R[2, 1]), np.arctan2(-R[2, 0], R[2, 2])
    np.testing.assert_allclose(said, angles, atol=1e-12)
    other = rotations.from_euler_zxy([angles[0] + np.pi, np.pi - angles[1], angles[2] + np.pi])
    np.testing.assert_allclose(other, R, atol=1e-12)


def test_every_picture_is_there_shown_and_small() -> None:
    shown = set(re.findall(r"\]\(gallery/coordinates/(\w+\.png)\)", PAGE))
    made = {path.name for path in GALLERY.glob("*.png")}
    assert shown == made
    assert max(path.stat().st_size for path in GALLERY.glob("*.png")) <= 250_000
