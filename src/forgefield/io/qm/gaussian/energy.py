"""Which energy of a Gaussian job is that of its method: a table by the head of the archive."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from warnings import warn

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.qm.gaussian.archive import Archive
from forgefield.io.text import floats

_SCF = re.compile(r"SCF Done:\s+E\(([^)]*)\)\s*=\s*(\S+)")
_SCF_ROW = re.compile(r"SCF Done:.*")
_SPIN, _FROZEN = re.compile(r"^(?:RO|R|U)"), re.compile(r"-(?:FC|FULL|FU|RW)$")
COUNTERPOISE = re.compile(r"Counterpoise corrected energy *= *(\S+)")
_AT_ZERO = re.compile(r"^ *([A-Z]\S*) *\(0 K\) *= *(-\d+\.\d+)", re.MULTILINE)
BEYOND_SCF = re.compile(
    r"\b(?:EUMP2|EU?MP4\w*|E\(CORR\)|CCSD\(T\)|E2\(\w+\)) *=|^ Excited State +\d|^ ONIOM: |Counterpoise corrected",
    re.MULTILINE,
)
_SAME = 1e-6
"""Hartree; archives hold seven decimals."""


class _Row(NamedTuple):
    """Where the energy of methods stands."""

    methods: re.Pattern[str]
    """As the head of an archive names them, without spin and frozen core."""
    key: str = ""
    """Under which the archive holds it, `{}` being the method; nothing where it holds another there."""
    printed: re.Pattern[str] | None = None
    """How it is printed; with more digits than in the archive, where it stands there too."""


_ROWS = (
    _Row(re.compile(r"ONIOM\b.*"), printed=re.compile(r"ONIOM: extrapolated energy *= *(\S+)")),
    _Row(re.compile(r"CIS|TDA?\b.*|.* TDA?"), printed=re.compile(r"Total Energy, E\([^)]*\) *= *(\S+)")),
    _Row(
        re.compile(r"(?:B2|MPW2)PLYPD?3?|DSDPBEP86|PBE0DH|PBEQIDH"),
        "MP2",
        re.compile(r"E2\([^)]*\) *= *\S+ +E\([^)]*\) *= *(\S+)"),
    ),
    _Row(re.compile(r"MP\d.*|Q?CI.*|CC.*|BD.*"), "{}"),
    _Row(re.compile(r"CASSCF|UFF|DREIDING|AMBER"), "HF"),
    _Row(re.compile(r"HF|AM1|PM\d\w*|PDDG|MNDO\w*|MINDO3|[CI]NDO"), "HF", _SCF_ROW),
)


def method_energy(path: Path, text: str, archive: Archive | None) -> float | None:
    """Return the energy [kcal/mol] of the method that a job step names; None where the table does not have it.

    Gives an InputWarning where the step has energies, but none is known to be that of the method. Raises InputError
    where an energy is damaged, and where print and archive contradict each other.
    """
    kind = archive.kind if archive else ""
    rows = _SCF_ROW.findall(text)
    labels = [found[1] if (found := _SCF.search(row)) else "" for row in rows]
    method = archive.method if archive else labels[-1] if labels else ""
    if COUNTERPOISE.search(text):
        return _chosen(path, kind, "counterpoise energy", None, COUNTERPOISE.findall(text))
    if archive and archive.is_composite:
        return _composite(path, text, archive)
    row = _row(method, labels) if archive or not BEYOND_SCF.search(text) else None
    archived = archive.values.get(_key(row, method)) if archive else None
    if row is None or row.printed is None:
        printed = []
    elif row.printed is _SCF_ROW:
        printed = [_of_scf(path, line) for line in rows]
    else:
        printed = row.printed.findall(text)
    if archived is None and not printed:
        if rows or (archive and "HF" in archive.values):
            _left_out(path, method or "the method", "it is not known which of the energies there is its own")
        return None
    what = "SCF energy" if row and row.printed is _SCF_ROW else f"energy of {method}"
    return _chosen(path, kind, what, archived, printed)


def _row(method: str, labels: Sequence[str]) -> _Row | None:
    whole = method.upper()
    bare = _FROZEN.sub("", whole)
    names = (bare, _SPIN.sub("", bare))
    for row in _ROWS:
        if any(row.methods.fullmatch(name) for name in names):
            return row
    # What has a frozen core, or none, goes beyond SCF. Of functionals old versions print other names than they archive.
    of_scf = bare == whole and labels and _SPIN.sub("", labels[-1].upper()) != "HF"
    return _ROWS[-1] if of_scf else None


def _composite(path: Path, text: str, archive: Archive) -> float | None:
    """Return the energy that was put together: of the archive under the name of the method, else as printed for 0 K
    under it (CBS-4M without its last letter)."""
    name = _letters(_FROZEN.sub("", archive.method))
    named = {_letters(key): value for key, value in archive.values.items()}
    printed = {_letters(match[1]): match[2] for match in _AT_ZERO.finditer(text)}
    stated = named.get(name) or printed.get(name) or printed.get(name.removesuffix("M"))
    if stated is None:
        return _left_out(path, archive.method, "neither the archive nor the summary holds it")
    return _chosen(path, archive.kind, f"energy of {archive.method}", stated, [])


def scan_energies(path: Path, text: str, archive: Archive) -> list[float]:
    """Return the energies [kcal/mol] of all points that the archive of a scan lists; none of a method that is not
    understood."""
    labels = [match[1] for match in _SCF.finditer(text)]
    row = _row(archive.method, labels)
    listed = archive.values.get(_key(row, archive.method), "")
    return (floats(path, None, [listed.replace(",", " ")], "energies of the scan") * units.HARTREE).tolist()


def _key(row: _Row | None, method: str) -> str:
    """Return under which an archive holds the energy of a method."""
    return row.key.format(_SPIN.sub("", _FROZEN.sub("", method.upper()))) if row else ""


def _letters(name: str) -> str:
    return re.sub(r"\W", "", name).upper()


def _left_out(path: Path, method: str, why: str) -> None:
    warn(InputWarning(f"{path}: the energy of {method} is not read: {why}"), stacklevel=2)


def _of_scf(path: Path, row: str) -> str:
    found = _SCF.search(row)
    if found is None:
        raise InputError(f"{path}: expected the SCF energy, found {row.strip()!r}")
    return found[2]


def _chosen(path: Path, kind: str, what: str, archived: str | None, printed: Sequence[str]) -> float:
    """Return the energy [kcal/mol] as printed, of those that the archive agrees with; a scan archives all points."""
    found = floats(path, None, printed, what)
    if archived is not None:
        stated = floats(path, None, [archived.rsplit(",", 1)[-1]], what)
        agreeing = found[abs(found - stated) <= _SAME]
        if len(found) and not len(agreeing):
            raise InputError(
                f"{path}: the {what} is {stated[0]:.7f} Hartree in the archive, but none that was printed, the last of "
                f"which is {found[-1]:.7f}; is the file damaged?"
            )
        found = agreeing if len(agreeing) else stated
    # A numerical Hessian goes on to displaced geometries.
    return float(found[0 if kind == "Freq" else -1]) * units.HARTREE
