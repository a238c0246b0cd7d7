"""Force fields from files of any format, ready to be laid over molecules."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.rules import AbstractStatedRules
from forgefield.assign.explicit.several import together
from forgefield.assign.rules import AbstractRules
from forgefield.errors import InputError, WriteError
from forgefield.io.forcefields.amber.residues import LIBRARIES, PREPS
from forgefield.io.forcefields.amber.typed import amber_rules, read_amber
from forgefield.io.forcefields.openmm.system.charmm import STRUCTURE, read_charmm
from forgefield.io.forcefields.tinker.reader import SUFFIXES as OF_TINKER
from forgefield.io.forcefields.tinker.reader import read_tinker
from forgefield.io.format import LaidWriter
from forgefield.io.formats import force_field_format, force_fields, suffixes
from forgefield.io.outputs import new_outputs
from forgefield.molecules.molecule import Molecule

_PARAMETERS = [("dat", "leap", kind) for kind in ("parm", "lib", "prep")]
"""Where AmberTools has its parameter files, and its residues."""
STUDENT, STUDENTS = "student.safetensors", "students"
"""What a distillation of one student writes into its folder, and the folder of several."""


def load(path: str | Path) -> AbstractRules:
    """Return the force field of a file, or of the folder of a fit or a distillation, not yet laid over molecules.

    An MM3* file (.fld) wants MacroModel atom types, an AMBER parameter file (.frcmod) its own; a file that ForgeField
    generated says what its types stand for, so that it fits any molecule with the same surroundings of atoms, whose
    bonds are perceived where it has none; so does the native file that a fit writes (.json). A neural model
    (.safetensors) needs elements only. Raises InputError, as does what is returned, which also raises
    MissingParameters. Several files of AMBER are joined by +, as in `gaff2.dat+ligand.frcmod`; those that are not there
    are looked for among the files of AmberTools; so are those of CHARMM (`ligand.psf+par.prm+top.rtf`) and of
    Tinker (`ligand.xyz+mm3.prm`), and topologies of several molecules, which share rows.
    """
    files = parts_of(Path(path))
    if files[0].suffix.lower() == STRUCTURE:
        return read_charmm(files[0], files[1:])
    kinds = {file.suffix.lower() for file in files}
    if kinds <= set(OF_TINKER) and kinds != {".xyz"} and not (kinds == {".key"} and len(files) > 1):
        return read_tinker(files)
    if len(files) > 1:
        return _of_several(files)
    path = file_of(files[0])
    found = force_field_format(path)
    if found is not None and found.rules is not None:
        return found.rules(path)
    if path.suffix.lower() in (*LIBRARIES, *PREPS[:2]):
        return read_amber(path)
    read = suffixes(one for one in force_fields() if one.rules)
    raise InputError(
        f"{path}: no force field is read from {path.suffix!r} files; give a {', '.join(sorted(read))} or a fit's folder"
    )


def _of_several(files: list[Path]) -> AbstractRules:
    """Return the force field of topologies, or of AMBER's parameters. Raises InputError for others together."""
    if twice := [file for k, file in enumerate(files) if file in files[:k]]:
        raise InputError(f"{twice[0]}: is named twice; name each file once")
    if all((form := force_field_format(file)) is None or form.rules is amber_rules for file in files):
        return read_amber(*files)
    found = [load(file) for file in files]
    systems = [one for rules in found if isinstance(rules, AbstractStatedRules) for one in rules.each]
    if wrong := [file for file, rules in zip(files, found, strict=True) if not isinstance(rules, AbstractStatedRules)]:
        raise InputError(f"{wrong[0]}: is no topology, and stands together with {files[0]}; give topologies alone")
    return together(systems)


def parts_of(path: Path) -> list[Path]:
    """Return the files that a path names, joined by +, those of AmberTools where they are."""
    if path.exists():
        return [path]
    found: list[Path] = []
    name = ""
    for part in str(path).split("+"):
        # A name may have a + of its own.
        name = f"{name}+{part}" if name else part
        there = Path(name) if name and Path(name).exists() else of_ambertools(name)
        if there is not None:
            found.append(there)
            name = ""
    return [*found, Path(name)] if name else found


def of_ambertools(name: str) -> Path | None:
    """Return the parameter file of a name in AmberTools; None where there is none."""
    homes = [Path(home) for home in (os.environ.get("AMBERHOME"), sys.prefix) if home]
    places = [home.joinpath(*of, name) for home in homes for of in _PARAMETERS if Path(name).name == name]
    return next((place for place in places if place.is_file()), None)


def file_of(path: Path) -> Path:
    """Return the force field that a fit or a distillation wrote into a folder; the path itself where it is none.

    Raises InputError for a folder without one.
    """
    if not path.is_dir():
        return path
    names = [*(one.in_folder for one in force_fields() if one.rules and one.write_laid), STUDENT]
    found = [path / name for name in names if (path / name).is_file()]
    if not found:
        raise InputError(f"{path}: holds none of {', '.join(names)}; has the run ended?")
    return found[0]


def write_laid(
    path: Path,
    write: LaidWriter,
    assignment: Assignment,
    molecules: list[Molecule],
    sources: Iterable[Path],
    *,
    overwrite: bool,
) -> list[Path]:
    """Write a force field that is laid over molecules, with the files that its format puts beside, and return them.

    Raises InputError for what the format cannot hold, and where a file is one of the `sources`, or there already and
    not to `overwrite`.
    """
    return write_whole(path, lambda target: write(target, assignment, molecules), sources, overwrite=overwrite)


def write_whole(
    path: Path, write: Callable[[Path], tuple[Path, ...]], sources: Iterable[Path], *, overwrite: bool
) -> list[Path]:
    """Write all files that belong to a path, or none, and return them. Raises InputError as `write_laid` does."""
    with TemporaryDirectory() as folder:
        try:
            tried = write(Path(folder) / path.name)
        except WriteError:
            raise
        except InputError as error:
            raise InputError(str(error).replace(str(Path(folder) / path.name), str(path))) from error
    files = [path.with_name(one.name) for one in tried]
    with new_outputs(files, sources, overwrite=overwrite):
        write(path)
    return files
