"""``marrow train``: train the network of a system."""

from __future__ import annotations

import dataclasses
import inspect
import os
import sys
import time
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from marrow.cli._options import option
from marrow.cli._report import run_guarded, write_event

if TYPE_CHECKING:
    from marrow.systems import Entry


def run(
    id: Annotated[str, tyro.conf.Positional, option("Of the system, before all options.", "ID")],
    settings: Annotated[Any, tyro.conf.Suppress] = None,
    out: Annotated[Path | None, option("File for the weights (default ID.safetensors).", "FILE")] = None,
    steps: Annotated[int | None, option("Of the optimiser (default: the system's own number).", "N")] = None,
    keep: Annotated[Path | None, option("File of a checkpoint, written on the way.", "FILE")] = None,
    every: Annotated[int, option("Steps between two checkpoints (default 500).", "N")] = 500,
    resume: Annotated[bool, option("Go on from --keep, if it is there, to the same weights as in one go.")] = False,
    log: Annotated[Path | None, option("File for a JSON line a step: loss, rate, seconds, samples.", "FILE")] = None,
    processes: Annotated[int, option("That share the work on this machine (default 1).", "N")] = 1,
    seed: Annotated[int, option("Of all chance (default 0).", "N")] = 0,
    folder: Annotated[Path | None, option("Systems of your own to take in.", "DIR")] = None,
    force: Annotated[
        bool, option("Replace --out if it exists, and --keep and --log that are not gone on with.")
    ] = False,
    json: Annotated[bool, option("Progress and result as JSON lines.")] = False,
) -> int:
    """Train the network of a system and write its weights; the options of a system: marrow train ID --help.

    A training that was stopped, however hard, goes on with the same words and --resume, if they have a --keep.
    """
    from marrow.errors import InputError

    if settings is None:
        raise InputError(f"the system comes before all options: marrow train {id} …")
    told = {"keep": keep, "every": every, "resume": resume, "log": log, "processes": processes}
    task = lambda: _train(id, folder, settings, steps, seed, out, force, json, told)  # noqa: E731
    return run_guarded(task, as_json=json, source=id)


def runner(words: Sequence[str]) -> Callable[..., int]:
    """The verb with the settings of the system that the first word names as further options."""
    # where several processes train, torch would warn that a training without unused parameters could be faster
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    if not words or words[0].startswith("-"):
        return run
    given = [word.partition("=")[2] or after for word, after in zip(words, [*words[1:], ""], strict=True)
             if word.partition("=")[0] == "--folder"]  # fmt: skip
    own = _settings(_found(words[0], Path(given[-1]) if given else None).module.Config)

    def verb(*given: Any, **options: Any) -> int:
        return run(*given, **options)

    signature = inspect.signature(run, eval_str=True)
    parameters = dict(signature.parameters)
    parameters["settings"] = parameters["settings"].replace(
        annotation=Annotated[own, tyro.conf.arg(name="")], default=own()
    )
    verb.__signature__ = signature.replace(parameters=list(parameters.values()))  # type: ignore[attr-defined]
    verb.__annotations__ = {name: parameter.annotation for name, parameter in parameters.items()}
    verb.__doc__ = run.__doc__
    return verb


def _found(name: str, folder: Path | None) -> Entry:
    """The system; raises InputError where there is none."""
    from marrow.errors import InputError
    from marrow.lift.shipped import NETWORKS
    from marrow.systems import find

    try:
        return find(name, folder)
    except InputError:
        if name not in NETWORKS:
            raise
        raise InputError(
            f"{name!r} is no system; in marrow's repository, python benchmarks/lifting.py trains and measures frame "
            f"and time, and python scripts/train_lifters.py {name} trains the one that ships"
        ) from None


def _settings(config: type) -> type:
    """The settings of a system that the verb's own options do not give."""
    taken, hints = inspect.signature(run).parameters, typing.get_type_hints(config)
    fields = [
        (f.name, hints[f.name], dataclasses.field(default=f.default, default_factory=f.default_factory))  # type: ignore
        for f in dataclasses.fields(config)
        if f.init and f.name not in taken
    ]
    own = dataclasses.make_dataclass("settings", fields)
    own.__doc__ = config.__doc__
    return own


def _train(
    name: str,
    folder: Path | None,
    settings: Any,
    steps: int | None,
    seed: int,
    out: Path | None,
    force: bool,
    as_json: bool,
    told: Mapping[str, Any],
) -> int:
    from marrow.errors import InputError, OutputError
    from marrow.io.files import refuse_existing, temporary_beside
    from marrow.progress import show_progress
    from marrow.systems import find
    from marrow.train.seeds import set_seed

    entry = find(name, folder)
    module = entry.module
    if not entry.learns:
        raise InputError(f"{name} learns nothing: its file has no train; what it is for: marrow show {name}")
    out = out or Path(f"{name}.safetensors")
    refuse_existing(out, force=force)
    keep, resume = told["keep"], told["resume"]
    if resume and keep is None:
        raise InputError("--resume needs the checkpoint to go on from: --keep FILE")
    for option_, path in (("--keep", keep), ("--log", told["log"])):
        if path is not None and path.exists() and not (resume or force):
            raise OutputError(f"{path} exists; go on with it by --resume, or give another {option_}, or add --force")
    files = [path.absolute() for path in (out, keep, told["log"]) if path is not None]
    if len(set(files)) < len(files):
        raise InputError("--out, --keep and --log have to be different files")
    if keep is not None and resume and not keep.exists():
        # the results go to the other stream
        print(f"{keep} is not there: the training starts from the beginning", file=sys.stderr)
    chosen = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    also = {"steps": steps, "seed": seed}
    chosen |= {f.name: also[f.name] for f in dataclasses.fields(module.Config) if also.get(f.name) is not None}
    config = module.Config(**chosen)
    _refuse_counts(config)
    if not hasattr(module, "save"):
        entry.header(config)  # what cannot be written is told before the training, not after it
    options = {} if steps is None else {"steps": steps}
    begun = time.perf_counter()
    with show_progress(as_json=as_json, title=f"training {name}") as progress:
        told = {**told, "progress": progress, "about": f"{name}, seed {seed}, {config}"}
        if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(module.train).parameters.values()):
            asked = keep or told["log"] or told["processes"] > 1
            if asked:
                raise InputError(
                    f"{name}: its train takes no --keep, --log or --processes (no **told; see docs/systems.md)"
                )
            told = {}
        set_seed(seed)
        seeded = {"seed": seed} if "seed" in inspect.signature(module.build).parameters else {}
        model = module.build(config, **seeded)
        losses = module.train(model, config, seed=seed, **options, **told)
    with temporary_beside(out) as part:
        entry.save(model, part, config)
    facts = {"steps": len(losses), "loss": [losses[0], losses[-1]]} if losses else {}
    seconds = round(time.perf_counter() - begun, 2)
    if as_json:
        write_event("train", system=name, file=out, seconds=seconds, size=out.stat().st_size, **facts)
        return 0
    if losses:
        print(f"{name}: loss {losses[0]:.4g} to {losses[-1]:.4g} in {len(losses)} steps")
    print(f"written: {out} ({out.stat().st_size / 1e6:.2f} MB, {seconds:.1f} s)")
    if hasattr(module, "lifter") and folder is None:
        print(f'in Python: import marrow; lifter = marrow.load_lifter("{name}", weights="{out}")')
        print(f"use it: marrow capture VIDEO --lifter {name} --weights {out}")
        return 0
    where = f'"{name}"' if folder is None else f'"{name}", "{folder}"'
    print(f'in Python: from marrow.systems import find; model = find({where}).load("{out}")')
    return 0


def _refuse_counts(config: Any) -> None:
    """Raises InputError for a number of nothing; 0 only where that is usual, or no moves at test time."""
    from marrow.errors import InputError

    usual = type(config)()
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        least = 0 if field.name == "moves" or not getattr(usual, field.name) else 1
        if type(value) is int and value < least:
            raise InputError(f"--{field.name.replace('_', '-')}: expected at least {least}, got {value}")
