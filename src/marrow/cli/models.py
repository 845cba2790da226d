"""``marrow models``: the user's own body models of the SMPL family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from marrow.cli._options import option
from marrow.cli._report import print_table, write_event

if TYPE_CHECKING:
    from marrow.body.shelf import StoredModel


def run(
    action: Annotated[
        Literal["list", "add", "show", "remove"],
        tyro.conf.Positional,
        option("What to do; without it the models are listed.", "[list|add|show|remove]"),
    ] = "list",
    target: Annotated[
        str | None,
        tyro.conf.Positional,
        option("For add the file (.pkl or .npz), for show and remove the name.", "[PATH|NAME]"),
    ] = None,
    name: Annotated[str | None, option("For add: keep it under this name (default such as smpl-neutral).", "N")] = None,
    force: Annotated[bool, option("For add: replace another model of that name.")] = False,
    json: Annotated[bool, option("One JSON line for each model, or for the error.")] = False,
) -> int:
    """Keep and list your own SMPL, SMPL-H, SMPL-X, MANO, FLAME and SKEL files.

    For example: marrow models add SMPL_NEUTRAL.pkl; then: marrow models show smpl-neutral. A file is read without
    executing anything in it and kept readable for you alone; MARROW_MODELS names another folder. Nothing is downloaded.
    """
    from marrow.errors import InputError

    if (target is None) == (action in ("add", "show", "remove")):
        wanted = {"add": " PATH", "show": " NAME", "remove": " NAME"}.get(action, "")
        raise InputError(f"expected: marrow models {action}{wanted}")
    if action != "add" and (name is not None or force):
        raise InputError(f"--name and --force belong to: marrow models add PATH; not to {action}")
    if target is None:
        return _list(json)
    if action == "add":
        return _add(target, name, force, json)
    return _remove(target, json) if action == "remove" else _show(target, json)


def _list(as_json: bool) -> int:
    from marrow.body.shelf import damaged_models, models, models_dir

    stored, damaged = models(), damaged_models()
    if as_json:
        for model in stored:
            write_event("model", **_fields(model))
        for name, why in damaged.items():
            write_event("damaged", name=name, message=why)
        return 0
    print_table([_row(model) for model in stored])
    for why in damaged.values():
        print(why)
    if not stored and not damaged:
        print(f"no model is kept in {models_dir()}; add your own file with: marrow models add PATH")
    return 0


def _add(path: str, name: str | None, force: bool, as_json: bool) -> int:
    from marrow.body.shelf import add_model, models_dir

    model = add_model(path, name, force=force)
    if as_json:
        write_event("added", **_fields(model))
        return 0
    print_table([_row(model)])
    print(f"\nkept as {model.name!r} in {models_dir()}\n{model.licence}")
    return 0


def _show(name: str, as_json: bool) -> int:
    from marrow.body.shelf import stored_model

    fields = _fields(stored_model(name))
    if as_json:
        write_event("model", **fields)
        return 0
    width = max(map(len, fields))
    for key, value in fields.items():
        print(f"{key:{width}}  {value}")
    return 0


def _remove(name: str, as_json: bool) -> int:
    from marrow.body.shelf import remove_model

    remove_model(name)
    if as_json:
        write_event("removed", name=name)
    else:
        print(f"removed: {name}; the file it was read from is untouched")
    return 0


def _fields(model: StoredModel) -> dict[str, Any]:
    import msgspec

    from marrow.body.shelf import models_dir

    return msgspec.structs.asdict(model) | {"file": str(models_dir() / f"{model.name}.npz")}


def _row(model: StoredModel) -> dict[str, Any]:
    from marrow.body.model_file import FAMILIES

    return {
        "name": model.name,
        "family": FAMILIES[model.family].title if model.family in FAMILIES else model.family,
        "vertices": model.vertices,
        "joints": model.joints,
        "shape": model.shapes,
        "expression": model.expressions,
        "licence": "your own file, non-commercial",
    }
