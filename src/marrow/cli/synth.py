"""``marrow synth``: pictures and clips of synthetic people with everything known about them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from marrow.cli._options import option
from marrow.cli._report import print_table, run_guarded, write_event


def run(
    preset: Annotated[
        str,
        option("What the pictures are like; --preset list tells what there is.", "clean|hard|multi|adults|dense|clips"),
    ] = "clean",
    out: Annotated[
        Path | None, option("Folder of the set. An interrupted set is gone on with by the same command.", "DIR")
    ] = None,
    count: Annotated[int | None, option("How many pictures or clips; by default the whole standard set.", "N")] = None,
    seed: Annotated[int, option("Another seed gives other people in other places.", "S")] = 0,
    workers: Annotated[int, option("Processes; the files do not depend on it.", "K")] = 1,
    size: Annotated[
        tuple[str, ...] | None, option("Width and height in pixels: 640 360, 640x360, or 256 for both.", "W H")
    ] = None,
    views: Annotated[int, option("Cameras around each scene.", "N")] = 1,
    layout: Annotated[
        str, option("shards: tar files as WebDataset reads them; folder: a file for each picture.", "shards|folder")
    ] = "shards",
    maps: Annotated[
        tuple[str, ...] | None,
        option(
            "Maps to write beside each picture: mask amodal label depth normal iuv, or none. By default all (of clips "
            "none).",
            "NAME…",
        ),
    ] = None,
    dense: Annotated[
        int | None, option("Dense points of each person's skin, with their place on the body.", "POINTS")
    ] = None,
    split: Annotated[str, option("Of the motions: train, A (unseen clips), B (unseen people).", "S")] = "train",
    motions: Annotated[
        Path | None, option("Your own motions instead: a file or folder that marrow convert reads.", "PATH")
    ] = None,
    photos: Annotated[Path | None, option("Folder of pictures to stand before.", "DIR")] = None,
    textures: Annotated[Path | None, option("Folder of pictures to print on clothes.", "DIR")] = None,
    only: Annotated[tuple[int, ...], option("Make these numbers of the set alone, as files.", "N…")] = (),
    json: Annotated[bool, option("Write progress and the result, or the error, as JSON lines.")] = False,
) -> int:
    """Make synthetic pictures of people, with their bodies, joints, masks, maps and cameras.

    For example: marrow synth --preset multi --count 500 --seed 1 --workers 2 --out crowd
    """
    if preset == "list":
        return _list(json)
    given: dict[str, Any] = {
        "size": size, "views": views, "split": split, "motions": motions, "photos": photos, "textures": textures
    }  # fmt: skip
    return run_guarded(
        lambda: _synth(preset, out, count, seed, workers, layout, maps, dense, only, given, json), as_json=json
    )


def _synth(
    name: str,
    out: Path | None,
    count: int | None,
    seed: int,
    workers: int,
    layout: str,
    maps: tuple[str, ...] | None,
    dense: int | None,
    only: tuple[int, ...],
    given: dict[str, Any],
    as_json: bool,
) -> int:
    from marrow.data.synth.annotations import MAPS
    from marrow.data.synth.making import make_set
    from marrow.data.synth.places import photos_in
    from marrow.data.synth.presets import preset
    from marrow.data.synth.samples import Recipe
    from marrow.data.synth.scenes import Choices
    from marrow.errors import InputError
    from marrow.progress import show_progress

    chosen = preset(name)
    if out is None:
        raise InputError(f"say where to: marrow synth --preset {name} --out DIR")
    choices = Choices(
        _size(given["size"]), given["views"], given["split"], _motions(given["motions"]),
        tuple(photos_in(given["photos"])) if given["photos"] else (),
        given["textures"],
    )  # fmt: skip
    wanted = (() if chosen.seconds else tuple(MAPS)) if maps is None else () if maps == ("none",) else maps
    recipe = Recipe(name, seed, choices, wanted, dense)
    number = chosen.count if count is None else count
    with show_progress(as_json=as_json, title=str(out)) as progress:
        folder = make_set(recipe, out, number, workers=workers, layout=layout, only=only, progress=progress)
    files = sorted(str(path) for path in folder.iterdir() if not path.name.startswith("."))
    if as_json:
        write_event("done", out=str(folder), files=files)
    else:
        print(f"made: {folder} ({', '.join(Path(file).name for file in files[:6])}{' …' if len(files) > 6 else ''})")
        print("what it holds: set.json; every picture's record tells its people, joints, camera and factors")
    return 0


def _motions(path: Path | None) -> Any:
    if path is None:
        return None
    from marrow.conversion import motions

    return motions(path)


def _list(as_json: bool) -> int:
    from marrow.data.synth.presets import PRESETS

    rows = [
        {"preset": name, "size": f"{p.size[0]}x{p.size[1]}", "count": p.count, "what": p.meaning}
        for name, p in PRESETS.items()
    ]
    if as_json:
        write_event("presets", presets=rows)
    else:
        print_table(rows)
    return 0


def _size(words: tuple[str, ...] | None) -> tuple[int, int] | None:
    """``256``, ``640 360`` or ``640x360`` as (width, height)."""
    from marrow.errors import InputError

    if words is None:
        return None
    try:
        numbers = [int(number) for word in words for number in word.lower().split("x")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise InputError(f"--size: expected pixels such as 256, 640 360 or 640x360, got {' '.join(words)!r}")
    return numbers[0], numbers[-1]
