"""How well bodies of SMPL's family are measured, on twins made of the default body, whose measurements are known.

    python benchmarks/smpl_measurements.py [--people 10] [--out benchmarks/results/smpl_measurements.json]

The twins (``marrow.bench.twin``) have the published joints and 6,890 vertices; here each shape coefficient is one
person, so that what a few coefficients cannot give does not count. Each person is measured three times: by the
coefficient (the model itself brings them from its T-pose into the A-pose), as a mesh in the A-pose, and as a mesh in
the middle of a step. Truth are the measurements of the default body of that person. No published model was at hand.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from marrow.bench.result import machine
from marrow.bench.twin import SHAPES, VERTICES, clip_of, people, t_pose, thinned, twin
from marrow.body import load_body
from marrow.body.measurements import DEFINITIONS, figure, measure, measurements_of
from marrow.body.model_file import FAMILIES as FAMILIES_OF_FILES
from marrow.body.smpl import SmplBody
from marrow.fit.smpl import smpl_body
from marrow.fit.smpl_measurements import smpl_figure, smpl_mesh_figure

RESULT = Path(__file__).parent / "results" / "smpl_measurements.json"
FAMILIES = ("smpl", "smplx")
CLIP, FRAME = "02_01", 39


def of_people(folder: Path, family: str, kept: np.ndarray) -> SmplBody:
    """A twin whose shape coefficients are people, from a file."""
    content = twin(family, corrected=True)
    joints = FAMILIES_OF_FILES[family].joints
    skins = np.stack([t_pose(person, joints)[0][kept] for person in people()[:SHAPES]])
    content["shapedirs"] = np.ascontiguousarray(np.moveaxis(skins - content["v_template"], 0, -1))
    return smpl_body(_saved(folder / f"{family}_NEUTRAL.npz", content))


def _saved(path: Path, content: dict[str, Any]) -> Path:
    np.savez(path, **content | {"J_regressor": content["J_regressor"].toarray()})
    return path


def differences(body: SmplBody, kept: np.ndarray, faces: np.ndarray, count: int) -> dict[str, dict[str, list[float]]]:
    """How measured: name to what was found less the truth, of each person; lengths in mm, the others in %."""
    ours = load_body("default")
    out: dict[str, dict[str, list[float]]] = {}
    for number, person in enumerate(people()[:count]):
        rest = ours.rest(person)
        truth, clip = measure(rest), clip_of(CLIP, FRAME + 1, person)
        step = ours.pose(rest, clip.q[FRAME:], clip.translation[FRAME:], vertex_ids=kept).vertices[0]
        own = figure(rest)
        figures = {
            "by its coefficient": smpl_figure(body, np.eye(SHAPES)[number]),
            "as a mesh in the A-pose": smpl_mesh_figure(body, rest.vertices[kept]),
            "as a mesh in a step": smpl_mesh_figure(body, step),
            "its vertices with the true landmarks": type(own)(own.vertices[kept], faces, own.points),
        }
        for how, one in figures.items():
            found = measurements_of(one)
            for name in DEFINITIONS:
                off, length = found[name] - truth[name], DEFINITIONS[name].unit == "m"
                out.setdefault(how, {}).setdefault(name, []).append(1000 * off if length else 100 * off / truth[name])
    return out


def main(
    count: Annotated[int, tyro.conf.arg(name="people", help="how many, up to 10")] = SHAPES,
    out: Annotated[Path, tyro.conf.arg(help="file to write")] = RESULT,
) -> None:
    ours = load_body("default")
    kept, faces = thinned(ours.rest().vertices, ours.faces, VERTICES)
    result: dict[str, Any] = {"command": "python benchmarks/smpl_measurements.py", "machine": machine()}
    result["what"] = (
        "name: mean and largest absolute difference over people; mm of lengths, % of mass, volume, area, bmi"
    )
    with tempfile.TemporaryDirectory() as folder:
        for family in FAMILIES:
            body = of_people(Path(folder), family, kept)
            result[family] = {
                how: {
                    name: {"mean": round(float(np.mean(off)), 2), "largest": round(float(np.abs(off).max()), 2)}
                    for name, off in by_name.items()
                }
                for how, by_name in differences(body, kept, faces, count).items()
            }
            print(family, json.dumps(result[family], indent=1), flush=True)
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    tyro.cli(main)
