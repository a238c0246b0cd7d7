"""Writes a force field for another program."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from forgefield.assign.rules import ModelRules
from forgefield.errors import InputError
from forgefield.io.forcefields.neural import schnetpack_writer
from forgefield.io.outputs import new_outputs
from forgefield.io.rules import file_of, load
from forgefield.jobs.export import jax_artefact, scripts
from forgefield.jobs.export.laid_molecule import LaidMolecule, laid_molecule


@dataclass(frozen=True)
class _Target:
    """A program that force fields are exported to."""

    suffix: str
    files: Callable[[Path], list[Path]]
    write: Callable[[Path, LaidMolecule, Path, Path], None]


def _alone(path: Path) -> list[Path]:
    return [path]


_TARGETS = {
    "jax": _Target(".jax", jax_artefact.files_of, lambda path, laid, *_: jax_artefact.write_artefact(path, laid)),
    "openmm": _Target("_openmm.py", _alone, scripts.write_openmm),
    "ipi": _Target("_ipi.py", _alone, scripts.write_ipi),
}
_SCHNETPACK = "schnetpack"
NAMES = (*_TARGETS, _SCHNETPACK)


def export(
    force_field: Path, structure: Path | None, to: str, output: Path | None, *, overwrite: bool = False
) -> list[Path]:
    """Write a force field for a program, over a molecule but for SchNetPack, and return the files.

    Raises InputError where the program is not known, or cannot hold the force field.
    """
    if not force_field.exists():
        raise InputError(f"{force_field}: there is no such force field")
    force_field = file_of(force_field)
    if to == _SCHNETPACK:
        return _to_schnetpack(force_field, structure, output, overwrite=overwrite)
    if to not in _TARGETS:
        raise InputError(
            f"--to {to}: can be {', '.join(NAMES)}; ASE takes every force field as it is (docs: ASE calculator)"
        )
    if structure is None:
        raise InputError(f"--to {to}: name the structure that it is for; a force field is exported over one molecule")
    target = _TARGETS[to]
    path = output or Path(f"{structure.name.partition('.')[0]}{target.suffix}")
    with new_outputs(target.files(path), [force_field, structure], overwrite=overwrite):
        target.write(path, laid_molecule(force_field, structure), force_field, structure)
    return target.files(path)


def _to_schnetpack(force_field: Path, structure: Path | None, output: Path | None, *, overwrite: bool) -> list[Path]:
    if structure is not None:
        raise InputError(f"--to {_SCHNETPACK}: weights are for any molecule; leave {structure} out")
    path = output or Path(f"{force_field.stem}.npz")
    if path.suffix != ".npz":
        raise InputError(f"{path}: tensors of SchNetPack are written as .npz")
    rules = load(force_field)
    if not isinstance(rules, ModelRules):
        raise InputError(f"{force_field}: is no neural model, which SchNetPack could take")
    files = schnetpack_writer.files_of(path)
    with new_outputs(files, [force_field], overwrite=overwrite):
        schnetpack_writer.write_schnetpack(path, rules.model)
    return files
