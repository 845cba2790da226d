"""``marrow data``: what a folder of a published dataset holds."""

from __future__ import annotations

from typing import Annotated, Any

import tyro

from marrow.cli._options import option
from marrow.cli._report import print_table, run_guarded, write_event


def run(
    source: Annotated[
        str,
        tyro.conf.Positional,
        option("Your copy of a dataset: a folder or file; emdb=FOLDER says which set it is.", metavar="PATH"),
    ],
    limit: Annotated[int, option("Read and show at most so many recordings.", "N")] = 20,
    json: Annotated[bool, option("Write the result, or the error, as JSON lines to the standard output.")] = False,
) -> int:
    """Tell which dataset a folder holds: recordings, frames, people, cameras, licence.

    Known are 3DPW, EMDB, AGORA, Human3.6M, MPI-INF-3DHP, CMU Panoptic, Shelf and Campus, OpenCap, MOYO, AMASS, COCO.
    """
    return run_guarded(lambda: _tell(source, limit, json), as_json=json, source=source)


def _tell(source: str, limit: int, as_json: bool) -> int:
    from marrow.data.readers import read_dataset
    from marrow.errors import InputError

    if limit < 1:
        raise InputError(f"--limit: expected at least 1 recording, got {limit}")
    found = read_dataset(source)
    recordings = [found[name] for name in found.names[:limit]]
    rows = [_row(recording) for recording in recordings]
    remarks = list(dict.fromkeys(remark for recording in recordings for remark in recording.remarks))
    terms = {True: "commercial use allowed", False: "no commercial use", None: "commercial use not settled"}
    if as_json:
        about = {"licence": found.licence, "commercial": found.commercial, "count": len(found)}
        write_event("dataset", dataset=found.name, path=str(found.path), **about, recordings=rows, remarks=remarks)
        return 0
    print(f"{found.name}: {len(found)} recordings in {found.path}")
    print(f"licence: {found.licence} ({terms[found.commercial]})\n")
    print_table(rows)
    if len(found) > limit:
        print(f"… and {len(found) - limit} more; --limit N shows more")
    for remark in remarks:
        print(f"note: {remark}")
    return 0


def _row(recording: Any) -> dict[str, Any]:
    people = recording.people
    holds = {
        "3-D points": any(person.points is not None for person in people),
        "2-D points": any(person.keypoints for person in people),
        "body": any(person.body is not None for person in people),
        "coordinates": any(person.kinematics is not None for person in people),
    }
    return {
        "recording": recording.name,
        "frames": len(recording.frames),
        "fps": recording.fps,
        "people": len(people),
        "cameras": len(recording.views),
        "holds": [name for name, there in holds.items() if there],
    }
