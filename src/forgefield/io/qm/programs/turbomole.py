"""Reads Turbomole's data groups, in whatever files they are, and its output; xTB writes such files too."""

import re
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, not_understood, square
from forgefield.io.text import read_text

_GROUP = re.compile(r"^ ?\$(.*)$", re.MULTILINE)
_ELSEWHERE = re.compile(r"\bfile=(\S+)")
_REMARK = re.compile(r"(?<=^grad)\b.*|(?<=^coord)\b.*")
"""What Turbomole writes behind a name, such as `$grad    cartesian gradients`."""
_HESSIANS = ("nprhessian", "hessian", "hessian (projected)")
"""By name, the ones that still hold translations and rotations first."""
_NORM = re.compile(r"\|dE/dxyz\| *= +(\S+)")
_SAME_NORM = 2e-6
"""Hartree/Bohr; six decimals are printed."""
_CYCLE = re.compile(r"cycle = +\d+ +\S+ energy = +(\S+)")
_FREQUENCIES = re.compile(r"^ +frequency +(.*)$", re.MULTILINE)
_FORCE_ATOM = re.compile(rf" *({NUMBER}) +({NUMBER}) +({NUMBER}) +([a-z]{{1,2}}) +.*")
_ENERGY = re.compile(
    r"^ *(?:\| +total energy +=|\* +Final (?P<method>\S+) energy +:|Method +: +(?P<ri>\S+) *\n *Total Energy +:) +"
    r"(?P<energy>-\d+\.\d+)",
    re.MULTILINE,
)
_BEYOND_SCF = re.compile(r"^ *(?:ricc2|ccsdf12|rimp2|mpgrad|escf|egrad|pnoccsd|rirpa) *\(", re.MULTILINE)
"""Programs that go on from an SCF, as they sign their first page."""
_VERSION = re.compile(r"TURBOMOLE V *([^\s(]+)")
_SHELL = re.compile(r" *([a-z]\w*['\"]*) +([\d,-]+) +\( *(\d+(?:\.\d*)?) *\)")
_OF_PAIRS = re.compile(r"(?:e(?![a-z])|pi|delta|phi)")
_FUNCTIONAL = re.compile(r"\bfunctional +(\S+)")
_BASIS = re.compile(r"\bbasis *= *[a-z]{1,2} +([^\s\\]+)")
_MORE = ("ricc2", "rir12", "soes", "mp2energy", "rpacor", "excitations", "exopt")
"""Groups that ask for more than an SCF."""
_DISPERSION = {"disp": "-D2", "disp3": "-D3", "disp3 bj": "-D3(BJ)", "disp3 -bj": "-D3(BJ)", "disp4": "-D4"}
_PRINTED_DFT = re.compile(r"^ +density functional *$", re.MULTILINE)
_PRINTED_FUNCTIONAL = re.compile(r"^ (?:(\S+)(?: [\w-]+)* functional|[\w -]+ functional: *(\S+)) *$", re.MULTILINE)
_PRINTED_BASIS = re.compile(r"^ +[a-z]{1,2} +\d+ +\d+ +\d+ +(\S.*?) +\[", re.MULTILINE)
_PRINTED_CHARGE = re.compile(
    rf"^ +charge *\n -+ *\n(?: +{NUMBER}){{2}} +({NUMBER}) *$(?:\n +a-b +({NUMBER}) *$)?", re.MULTILINE
)
_UNRESTRICTED = "UHF modus switched on"


def _groups(path: Path, text: str) -> dict[str, list[str]]:
    """Return the lines of each data group, those of a group that stands in another file of the folder from there."""
    heads = list(_GROUP.finditer(text))
    groups: dict[str, list[str]] = {}
    for head, following in zip(heads, [*heads[1:], None][: len(heads)], strict=True):
        body = text[head.end() : following.start() if following else len(text)]
        name = head[1].strip()
        elsewhere = _ELSEWHERE.search(name)
        name = name[: elsewhere.start()].strip() if elsewhere else name
        if elsewhere and "/" not in elsewhere[1] and (path.parent / elsewhere[1]).is_file():
            body = _body(read_text(path.parent / elsewhere[1]), name)
        lines = [line for line in body.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if lines:
            groups[_REMARK.sub("", name)] = lines
    return groups


def _body(text: str, name: str) -> str:
    head = next((one for one in _GROUP.finditer(text) if one[1].split()[:1] == name.split()[:1]), None)
    end = _GROUP.search(text, head.end()) if head else None
    return text[head.end() : end.start() if end else len(text)] if head else ""


def _starts(*names: str) -> re.Pattern[str]:
    return re.compile(rf"\s*\$(?:{'|'.join(names)})\b")


def read_groups(path: Path) -> Part:
    """Return geometry, energy, gradient, Hessian and frequencies, as far as the data groups of a file hold them.

    Groups that `control` says to be in other files of its folder are read there.
    """
    text = read_text(path)
    printout = Printout(path, text)
    groups = _groups(path, text)
    names = [head[1].strip() for head in _GROUP.finditer(text)]
    species, positions = _coord(printout, groups["coord"]) if "coord" in groups else (None, None)
    energy = gradient = None
    if "grad" in groups:
        at, where, energy, gradient = _gradient(printout, groups["grad"])
        if positions is None:
            species, positions = at, where
        elif positions.shape != where.shape or np.abs(positions - where).max(initial=0.0) > 1e-4:
            energy = gradient = None
            said = "the last gradient is not of the geometry of $coord; it is left out, and so is its energy"
            warn(InputWarning(f"{path}: {said}"), stacklevel=2)
    name = next((name for name in _HESSIANS if name in groups), None)
    frequencies = _spectrum(printout, groups.get("vibrational spectrum"))
    if positions is None and name is None and frequencies is None:
        raise InputError(f"{path}: its groups hold no geometry, gradient, Hessian or frequencies")
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy,
        gradient=gradient,
        hessian=None if name is None else _hessian(printout, groups[name]),
        frequencies=frequencies,
        level=_level(groups, names),
        charge=_charge(printout, groups),
        multiplicity=_multiplicity(groups, names),
    )


def _level(groups: dict[str, list[str]], names: list[str]) -> str:
    """Return functional, dispersion and basis set of an SCF; more than that is not told."""
    occupied = any(name.endswith("shells") for name in groups)
    if not occupied or any(name.split()[:1] == [one] for name in names for one in _MORE):
        return ""
    functional = _FUNCTIONAL.search(" ".join(groups.get("dft", [])))
    method = (functional[1] if functional else "b-p") if "dft" in groups else "HF"
    bases = set(_BASIS.findall("\n".join(groups.get("atoms", []))))
    method += next((_DISPERSION[name] for name in names if name in _DISPERSION), "")
    method = "/".join([method, *bases]) if len(bases) == 1 else method
    return f"{method} COSMO" if any(name.split()[:1] == ["cosmo"] for name in names) else method


def _charge(printout: Printout, groups: dict[str, list[str]]) -> int | None:
    """Return the charge that an SCF has left in its group."""
    stated = next((lines[0].split() for name, lines in groups.items() if name.startswith("charge from")), None)
    return round(printout.number(-1, stated[0], "charge")) if stated else None


def _multiplicity(groups: dict[str, list[str]], names: list[str]) -> int | None:
    """Return the multiplicity of the occupied shells, of half-filled ones with parallel spins."""
    if "uhf" in names and "alpha shells" in groups:
        return round(_electrons(groups["alpha shells"]) - _electrons(groups.get("beta shells", []))) + 1
    partly = next((lines for name, lines in groups.items() if name.startswith("open shells")), None)
    if partly is None:
        return 1 if "closed shells" in groups else None
    shells = [found for line in partly if (found := _SHELL.match(line))]
    return round(_electrons(partly)) + 1 if shells and all(float(one[3]) == 1.0 for one in shells) else None


def _electrons(lines: list[str]) -> float:
    """Return how many electrons the rows of occupied shells hold: symmetry, numbers of orbitals, electrons of each."""
    count = 0.0
    for symmetry, ranges, occupation in (found.groups() for line in lines if (found := _SHELL.match(line))):
        ends = [[int(word) for word in one.split("-") if word] for one in ranges.split(",") if one]
        orbitals = sum(one[-1] - one[0] + 1 for one in ends if one)
        degenerate = 3 if symmetry.startswith("t") else 2 if _OF_PAIRS.match(symmetry) else 1
        count += orbitals * degenerate * float(occupation)
    return count


def _coord(printout: Printout, lines: list[str]) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"]]:
    rows = [line.split() for line in lines]
    if any(len(row) < 4 for row in rows):
        raise InputError(f"{printout.path}: $coord: expected three coordinates and an element in each row")
    return printout.atoms(-1, [(row[3], row[:3]) for row in rows], units.BOHR)


def _gradient(
    printout: Printout, lines: list[str]
) -> tuple[Int[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"], float, Float[np.ndarray, "atoms 3"]]:
    """Return species, positions, energy and gradient of the last cycle."""
    start = max((i for i, line in enumerate(lines) if "cycle =" in line), default=-1)
    found = _CYCLE.search(lines[start]) if start >= 0 else None
    rows = [line.split() for line in lines[start + 1 :]]
    n_atoms = len(rows) // 2
    if found is None or len(rows) % 2 or any(len(row) != 4 for row in rows[:n_atoms]):
        raise InputError(f"{printout.path}: $grad: the last cycle is damaged; is the file truncated?")
    species, positions = printout.atoms(-1, [(row[3], row[:3]) for row in rows[:n_atoms]], units.BOHR)
    gradient = printout.vectors(-1, rows[n_atoms:], "gradient")
    if gradient.shape != positions.shape:
        raise InputError(f"{printout.path}: $grad: {n_atoms} atoms, but a gradient of {len(gradient)}")
    energy = printout.number(-1, found[1], "energy")
    _check_norm(printout, lines[start], gradient)
    return species, positions, energy * units.HARTREE, gradient * units.HARTREE_PER_BOHR


def _check_norm(printout: Printout, head: str, gradient: Float[np.ndarray, "atoms 3"]) -> None:
    """Raise InputError where the norm of a gradient [Hartree/Bohr] is not that which the head of its cycle states."""
    stated = _NORM.search(head)
    norm = float(np.linalg.norm(gradient))
    if stated and abs(printout.number(-1, stated[1], "|dE/dxyz|") - norm) > _SAME_NORM * (1.0 + norm):
        raise InputError(
            f"{printout.path}: $grad: the norm of the gradient is {norm:.6f}, and the head of the cycle states "
            f"{stated[1]}; the file is damaged"
        )


def _hessian(printout: Printout, lines: list[str]) -> Float[np.ndarray, "coordinates coordinates"]:
    """Return the Hessian from rows that may begin with two counters, or the one `level` of an old file."""
    words: list[str] = []
    for line in lines:
        row = line.split()
        words += [word for word in row if "." in word]
    n = round(len(words) ** 0.5)
    if not n or n % 3:
        raise InputError(f"{printout.path}: the Hessian has {len(words)} numbers, not (3N)²; is the file truncated?")
    return full_hessian(printout.path, square(printout, words, n, "Hessian"), n // 3)


def _spectrum(printout: Printout, lines: list[str] | None) -> Float[np.ndarray, " modes"] | None:
    """Return the frequencies, which follow a number and, of a vibration, its symmetry."""
    if lines is None:
        return None
    words = [next((word for word in line.split()[1:] if "." in word), line.strip()) for line in lines]
    return printout.frequencies(-1, words)


def _is_output(_: Path, text: str) -> bool:
    return "TURBOMOLE" in text and "atomic coordinates" in text


def read_output(path: Path) -> Part:
    """Return the last geometry that the programs of Turbomole printed, its energy, and the frequencies of aoforce."""
    printout = Printout.of(path)
    printout.ended(": all done", "ended normally")
    place = printout.last("atomic coordinates")
    rows = printout.table(place, _FORCE_ATOM)
    species, positions = printout.atoms(place, [(row[4], row.groups()[:3]) for row in rows], units.BOHR)
    frequencies = printout.matches(_FREQUENCIES)
    method, energy = _printed_energy(printout)
    charge, multiplicity = _printed_state(printout, place)
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=energy,
        frequencies=printout.frequencies(-1, [match[1] for match in frequencies]) if frequencies else None,
        level=_printed_level(printout, method, has_energy=energy is not None),
        program=printout.program("Turbomole", _VERSION),
        charge=charge,
        multiplicity=multiplicity,
    )


def _printed_level(printout: Printout, method: str, *, has_energy: bool) -> str:
    """Return method and basis set; the functional of an SCF stands below a head of its own."""
    head = _PRINTED_DFT.search(printout.text)
    if not method and has_energy:
        functional = _PRINTED_FUNCTIONAL.search(printout.text) if head else None
        method = (functional[1] or functional[2]) if functional else "DFT" if head else "HF"
    bases = set(_PRINTED_BASIS.findall(printout.text))
    return "/".join([method, *bases]) if method and len(bases) == 1 else method


def _printed_state(printout: Printout, place: int) -> tuple[int | None, int | None]:
    """Return charge and multiplicity of the moments that follow a geometry, where they stand."""
    found = printout.matches(_PRINTED_CHARGE, place)
    if not found:
        return None, None
    charge, unpaired = found[-1].groups()
    if unpaired is None and _UNRESTRICTED in printout.text:
        return round(printout.number(-1, charge, "charge")), None
    return (
        round(printout.number(-1, charge, "charge")),
        round(printout.number(-1, unpaired or "0.0", "unpaired electrons")) + 1,
    )


def _printed_energy(printout: Printout) -> tuple[str, float | None]:
    """Return the name of a method beyond SCF, and the last energy [kcal/mol]; aoforce prints none."""
    found = printout.matches(_ENERGY)
    beyond = [match for match in found if match["method"] or match["ri"]]
    if _BEYOND_SCF.search(printout.text) and not beyond:
        not_understood(printout.path, "a program beyond the SCF was run")
        return "", None
    last = beyond[-1] if beyond else found[-1] if found else None
    return ("", None) if last is None else (last["method"] or last["ri"] or "", printout.energy(last))


_CONTROL = re.compile(r"^\$(?:title|atoms|rundimensions|scfmo)\b", re.MULTILINE)
_FIRST = {
    "Turbomole coord": _starts("coord"),
    "Turbomole gradient": _starts("grad"),
    "Turbomole Hessian": _starts("hessian", "nprhessian"),
    "vibrational spectrum": _starts("vibrational spectrum"),
}


def _is_control(_: Path, text: str) -> bool:
    return text[:400].lstrip().startswith("$") and bool(_CONTROL.search(text)) and "$coord" in text


KINDS = (
    Kind("Turbomole output", _is_output, read_output),
    Kind("Turbomole control", _is_control, read_groups),
    *(
        Kind(
            name,
            lambda _, text, mark=mark: bool(mark.match(text)),
            read_groups,
            has_geometry=name in ("Turbomole coord", "Turbomole gradient"),
        )
        for name, mark in _FIRST.items()
    ),
)
