"""``marrow score``: predictions of people in pictures against a synthetic set, by AGORA's protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import tyro

from marrow.cli._options import option
from marrow.cli._report import print_table, run_guarded, write_event


def run(
    predictions: Annotated[
        Path,
        tyro.conf.Positional,
        option("Folder with a file for each picture, named like it: 000012.npz or 000012.json.", "PREDICTIONS"),
    ],
    truth: Annotated[Path, option("Folder of a set of pictures that marrow synth made.", "SET")],
    json: Annotated[bool, option("Write the result, or the error, as a JSON line.")] = False,
) -> int:
    """Tell who was found and how far off they are: F1, MVE, MPJPE, and NMVE and NMJE, which count the missed.

    For example: marrow synth --preset multi --count 200 --seed 7 --out crowd, predict, then
    marrow score mine --truth crowd. docs/score.md tells what a file of predictions holds.
    """
    return run_guarded(lambda: _score(predictions, truth, json), as_json=json)


def _score(folder: Path, truth: Path, as_json: bool) -> int:
    from marrow.bench import crowds
    from marrow.body import load_body
    from marrow.data.synth.truth import read_truth
    from marrow.errors import InputError
    from marrow.io.predictions import read_predictions
    from marrow.metrics.people import score_people

    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected a file of predictions for each picture in it")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in (".npz", ".json") and files.setdefault(path.stem, path) is not path:
            raise InputError(f"{path}: there is also {files[path.stem].name}; keep one file for a picture")
    people = list(read_truth(truth))
    missing = [one.name for one in people if one.name not in files]
    if missing:
        raise InputError(
            f"{folder}: {len(missing)} of {len(people)} pictures have no predictions, the first is {missing[0]}; where "
            "nobody is found write a file of no people"
        )
    unknown = sorted(set(files) - {one.name for one in people})
    if unknown:
        raise InputError(f"{files[unknown[0]]}: the set {truth} has no picture of this name")
    said = [read_predictions(files[one.name], 17, load_body().vertex_count) for one in people]
    with_skin = [one for one in said if one.vertices is not None]
    if with_skin and any(one.vertices is None and len(one.joints2d) for one in said):
        raise InputError(f"{folder}: some files have vertices and some have none; give them in all or in none")
    scores, _ = score_people(
        [(one.joints2d, one.joints3d, one.vertices) for one in said],
        [(one.xy, one.joints, one.vertices) for one in people],
        [one.hidden for one in people],
    )
    table, groups = crowds.summary(scores), crowds.by_group(scores, crowds.groups(people))
    if as_json:
        write_event("score", predictions=str(folder), truth=str(truth), unit="mm", table=table, groups=groups)
        return 0
    errors = ("MVE", "MPJPE", "NMVE", "NMJE")
    print_table([{name: table[name] for name in (*errors, "F1", "precision", "recall", "people", "found", "false")}])
    print()
    rows: list[dict[str, Any]] = [{"of whom": name, **facts} for name, facts in groups.items() if facts["people"]]
    print_table(rows)
    print("\nerrors in mm, pelvises laid on each other, of those found; NMVE and NMJE: divided by F1, so that the")
    print("missed and the invented count. Who is hidden by more than 90 % does not count, found or not.")
    return 0
