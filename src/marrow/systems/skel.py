"""A biomechanical skeleton regressed from the skin (M. Keller and others, "From Skin to Skeleton", SKEL, ACM TOG 2023).

Idea: a body model's graphics rig has its joints where animation wants them. SKEL regresses anatomical joint centres
from the skin, rigs the same skin to a biomechanical skeleton at those centres, with the freedoms that real joints have,
and fits it to existing body motion. So body motion becomes joint angles that biomechanics can read.

Reproduced here: joint centres from the skin, the skin rigged to the skeleton, the fit to mesh sequences, and the
paper's effects (centres nearer to anatomy than the rig's, bones inside the skin, angles within limits). Not: a
regressor learnt from optimised skeletons (here published equations), pose correctives, motion capture as the reference.
Read were the abstract and summaries, not the full text. The hip's reference is another regression than the skeleton's;
knee, ankle, elbow and wrist share the definition with its centres but take it on the skin (``marrow.bench.anatomy``).
So ``details`` has published proportions too, which know nothing of landmarks, and how bones lie in the skin in motion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from marrow.bench.system import Claim, Paired, Paper, System
from marrow.types import Float64, Motion

if TYPE_CHECKING:
    from marrow.skeleton import Skeleton


@dataclass
class Config:
    """What a user may set.

    Attributes:
        people: adults a seed, whose joint centres are measured.
        bones: of these, those whose bones are looked at.
        moving: of these, those who are looked at in motion, and to whose meshes the skeleton is fitted.
        frames: of each one's motion, spread over a held-out clip.
    """

    people: int = 25
    bones: int = 8
    moving: int = 2
    frames: int = 24


def build(config: Config) -> type[Skeleton]:
    """The skeleton that goes into any body: there is nothing to train, the regressions are published equations."""
    from marrow.skeleton import Skeleton

    return Skeleton


def example(config: Config) -> tuple[Float64, Float64]:
    """Meshes (T, V, 3) of somebody walking, posed by the graphics rig, and times (T,)."""
    from marrow.bench.rig import pose_on_rig
    from marrow.bench.skeletons import moving
    from marrow.body import load_body

    rest = load_body().rest()
    skeleton, motion = moving(rest, "02_01", 12)
    return np.asarray(pose_on_rig(load_body(), rest, skeleton, motion.q).vertices, float), motion.time


@dataclass(frozen=True)
class Fitted:
    """Joint angles, joint centres (T, B, 3) in metres, and by region the skin's distance (T,) from the meshes."""

    motion: Motion
    centres: Float64
    residual: Mapping[str, Float64]


def infer(model: type[Skeleton], inputs: str | Path | Motion | tuple[Any, Any]) -> Fitted:
    """What meshes say of the skeleton: files (as ``marrow convert`` takes), or vertices (T, V, 3) in metres and times.

    A :class:`Motion` of the body only gets the skeleton that belongs to its shape.
    """
    from marrow.body import load_body
    from marrow.conversion import convert, from_meshes

    if isinstance(inputs, Motion):
        motion, residual = inputs, {}
    else:
        found = convert(inputs) if isinstance(inputs, str | Path) else from_meshes(*inputs)
        motion, residual = found.motion, found.residual
    skeleton = model.inside(load_body().rest(motion.shape).landmarks)
    return Fitted(motion, skeleton.forward(motion.q, motion.translation)[1], residual)


def bench(config: Config, tier: str) -> Paired:
    """Joint centres of the skeleton and of the graphics rig in the same people, against independent references."""
    from marrow.bench import anatomy, skeletons
    from marrow.data.motion_pack import motion_pack
    from marrow.skeleton import Skeleton

    def joints(rest: Any) -> tuple[anatomy.Joints, anatomy.Joints]:
        """With and without the idea."""
        return anatomy.skeleton_joints(Skeleton.inside(rest.landmarks)), anatomy.rig_joints(rest.bone_heads)

    seeds = (0,) if tier == "quick" else (0, 1, 2)
    drawn = [skeletons.adults(np.random.default_rng(seed), config.people) for seed in seeds]
    people = [rest for own in drawn for rest in own]
    looked_at = [rest for own in drawn for rest in own[: config.bones]]
    movers = [rest for own in drawn for rest in own[: config.moving]]
    apart = 1000 * np.array([[anatomy.from_references(one, rest) for one in joints(rest)] for rest in people])
    shares = np.array([[anatomy.from_proportions(one, rest).mean() for one in joints(rest)] for rest in people])
    inside = np.array([[anatomy.inside_at_rest(one, rest) for one in joints(rest)] for rest in looked_at])
    by_joint = zip(anatomy.REFERRED, *apart.mean((0, 3)), strict=True)
    held_out = [motion.name for motion in motion_pack().select("A", "B")]
    clips = {held_out[7 * number % len(held_out)]: rest for number, rest in enumerate(movers)}
    details = {
        "mm by joint": {name: skeletons.rounded({"with": a, "without": b}) for name, a, b in by_joint},
        "from the published proportions, % of stature": _compared(shares, seeds, "lower"),
        "bones inside the skin at rest, %": _compared(inside, seeds, "higher"),
        "in the skin in motion": {c: skeletons.in_the_skin(rest, c, config.frames) for c, rest in clips.items()},
        "fitted to the rig's meshes": {c: skeletons.refitted(rest, c, config.frames) for c, rest in clips.items()},
        "in OpenSim": {c: skeletons.in_opensim(rest, c, 5) for c, rest in clips.items()},
    }
    with_, without = apart.mean((2, 3)).T
    data = f"{len(people)} adults drawn over the default body's shapes, {len(movers)} of them in held-out motions"
    return Paired(with_, without, np.arange(len(people)), seeds=seeds, data=data, details=details)


def _compared(figures: Float64, seeds: tuple[int, ...], better: str) -> dict[str, Any]:
    """Further figures (N, 2) of people, with and without."""
    from marrow.bench.runner import compare

    return compare(Paired(*figures.T, clusters=range(len(figures)), seeds=seeds, data="the same"), better=better)


SYSTEM = System(
    id="skel",
    paper=Paper(
        title="From Skin to Skeleton: Towards Biomechanically Accurate 3D Digital Humans",
        authors=(
            "Marilyn Keller", "Keenon Werling", "Soyong Shin", "Scott Delp", "Sergi Pujades", "C. Karen Liu",
            "Michael J. Black",
        ),
        year=2023,
        venue="ACM Transactions on Graphics",
        arxiv="2509.06607",
        doi="10.1145/3618381",
    ),
    tasks=("body", "skeleton", "conversion"),
    verb="marrow convert bodies/ motion.osim",
    claim=Claim(
        text="Joint centres regressed from the skin lie nearer to independent anatomical references than the graphics "
        "rig's joints.",
        metric="distance of hip, knee, ankle, elbow and wrist centres from the references (mm)",
        from_abstract=True,
    ),
    notes=("SKEL's own code and data are for research only; nothing of them is used here.",),
)  # fmt: skip
