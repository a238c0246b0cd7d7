"""What a fit is asked for: a FIT.toml, or QM results that are fitted to with the settings of `defaults`."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from forgefield.config import FitFile
from forgefield.errors import InputError
from forgefield.io.belonging import belonging
from forgefield.io.references import read_reference
from forgefield.io.sources import is_smiles, plain_name
from forgefield.jobs.fit.plan.defaults import Given, given, settings
from forgefield.jobs.fit.plan.fit_text import fit_text
from forgefield.jobs.fit.plan.fit_toml import plan_of, read_plan
from forgefield.jobs.fit.plan.plan import Plan

SETTINGS = "FIT.toml"
"""The name of the settings in the folder of a fit."""


def asked(
    files: Sequence[Path], output: Path | None = None, *, starts: int | None = None, trust: bool = False
) -> tuple[Plan, Path]:
    """Return the plan of a FIT.toml, or of files of QM results, and the folder of the fit.

    By default the folder is named like the first file, without its suffix, and stands beside it. `starts` replaces the
    number of starts; with `trust` results that contradict their job are warnings. Raises InputError for both kinds of
    files together, and for what cannot be fitted to.
    """
    if not files:
        raise InputError("no files are given: name a FIT.toml, or files of QM results")
    written = [path for path in files if path.suffix.lower() == ".toml"]
    if written and len(files) > 1:
        named = ", ".join(map(str, files))
        raise InputError(f"{named}: a FIT.toml names its data itself; give it alone, or QM results alone")
    if written and trust:
        raise InputError(f"{files[0]}: state trust = true there, under the [[molecules]] that it is meant for")
    if written:
        plan = read_plan(files[0], starts=starts)
        return plan, output or plain_name(files[0]).with_suffix("")
    if drawn := [str(path) for path in files if is_smiles(path)]:
        raise InputError(f"{', '.join(drawn)}: holds no QM results; first run: forgefield reference '{drawn[0]}'")
    if folders := [str(path) for path in files if path.is_dir()]:
        raise InputError(f"{', '.join(folders)}: is a folder; name the FIT.toml or the QM results in it")
    if missing := [str(path) for path in files if not path.is_file()]:
        raise InputError(f"{', '.join(missing)}: there is no such file")
    folder = output or plain_name(files[0]).with_suffix("")
    if folder == files[0]:
        raise InputError(f"{folder}: has no suffix, so that the folder of the fit needs another name; give it with -o")
    return _by_default(files, folder, starts, trust), folder


def _by_default(files: Sequence[Path], folder: Path, starts: int | None, trust: bool) -> Plan:
    data = [given(group, read_reference(group, trust=trust)) for group in belonging(files)]
    chosen = settings(data, starts=starts)
    if trust:
        tables = tuple(one.model_copy(update={"trust": True}) for one in chosen.molecules)
        chosen = chosen.model_copy(update={"molecules": tables})
    plan = plan_of(chosen, Path(), folder.resolve().name)
    return replace(plan, text=fit_text(_seen_from(chosen, folder), _head(data)))


def _seen_from(file: FitFile, folder: Path) -> FitFile:
    """Return settings with the paths of the data relative to a folder."""

    def moved(value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(value, str):
            return Path(os.path.relpath(Path(value).resolve(), folder.resolve())).as_posix()
        return tuple(str(moved(one)) for one in value)

    tables = tuple(one.model_copy(update={"reference": moved(one.reference)}) for one in file.molecules)
    return file.model_copy(update={"molecules": tables})


def _head(data: Sequence[Given]) -> list[str]:
    """Say what the settings were chosen for."""
    held = [one for part in data for one in part.structures]
    counts = {
        "Hessian": sum(one.reference.hessian is not None for one in held),
        "transition state": sum(one.imaginary > 0 for one in held),
        "frame of relaxed scans": sum(bool(one.reference.constraints) for one in held),
        "geometry with forces": sum(one.reference.gradient is not None for one in held),
        "geometry with an energy": sum(one.reference.energy is not None for one in held),
    }
    said = "; ".join(f"{what}: {n}" for what, n in counts.items() if n)
    return [
        f"The settings that ForgeField chose for these QM results ({said}).",
        "Change what you like and run `forgefield fit` on this file; unchanged, it gives the same force field. Paths "
        "are relative to the folder of this file; a deviation of its tolerance counts as one.",
    ]
