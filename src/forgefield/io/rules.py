"""Force fields from files of any format, ready to be laid over molecules."""

import re
from pathlib import Path

from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.rules import AbstractRules, rules_of
from forgefield.assign.typing import Typing
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.frcmod import frcmod_rules
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.forcefields.native import read_native
from forgefield.io.forcefields.neural.painn_file import read_painn
from forgefield.io.text import read_text

_NAMES_IN_FOLDER = ("forcefield.json", "forcefield.fld", "forcefield.frcmod")
"""What a fit writes, in the order of preference."""
_LEGENDS = {
    ".fld": re.compile(r"^ C  (?P<name>\S{2}) is \S+  (?P<meaning>\S+)$", re.MULTILINE),
    ".frcmod": re.compile(r"^(?P<name>\S{2}) +\S+ +0\.000    \S+ (?P<meaning>\S+)$", re.MULTILINE),
}
"""How generated files say what a type name stands for."""


def load(path: str | Path) -> AbstractRules:
    """Return the force field of a file, or of the folder of a fit, not yet laid over molecules.

    An MM3* file (.fld) wants MacroModel atom types, an AMBER parameter file (.frcmod) its own; a file that ForgeField
    generated says what its types stand for, so that it fits any molecule with the same surroundings of atoms, whose
    bonds are perceived where it has none; so does the native file that a fit writes (.json). A neural model
    (.safetensors) needs elements only. Raises InputError, as does what is returned, which also raises
    MissingParameters.
    """
    path = file_of(Path(path))
    match path.suffix.lower():
        case ".fld":
            return Mm3Rules(read_fld(path), _typing(path))
        case ".frcmod":
            # The legend first: it says what is wrong with a file that is no text.
            typing = _typing(path)
            return frcmod_rules(path, typing)
        case ".json":
            return read_native(path)
        case ".safetensors":
            return rules_of(read_painn(path))
        case ".xml":
            raise InputError(
                f"{path}: OpenMM XML is written, not read; give the .fld or .frcmod of the same force field"
            )
        case other:
            raise InputError(
                f"{path}: no force field is read from {other!r} files; give a .fld, a .frcmod or a fit's folder"
            )


def file_of(path: Path) -> Path:
    """Return the force field that a fit has written into a folder; the path itself where it is none.

    Raises InputError for a folder without one.
    """
    if not path.is_dir():
        return path
    found = [path / name for name in _NAMES_IN_FOLDER if (path / name).is_file()]
    if not found:
        raise InputError(f"{path}: holds none of {', '.join(_NAMES_IN_FOLDER)}; has the fit ended?")
    return found[0]


def _typing(path: Path) -> Typing:
    # A generated .fld is for neutral molecules, and its bond moments say all of their charges.
    suffix = path.suffix.lower()
    meanings = {found["meaning"]: found["name"] for found in _LEGENDS[suffix].finditer(read_text(path))}
    return Typing(str(path), meanings, neutral=suffix == ".fld")
