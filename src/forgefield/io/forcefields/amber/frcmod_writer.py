"""Writes a system as AMBER parameters (.frcmod) with a mol2 file of its types and charges, for tleap."""

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.parameters import DEGREE
from forgefield.io.forcefields.amber.prmtop import COULOMB
from forgefield.io.forcefields.generated import amber_names
from forgefield.io.forcefields.laid.by_types import (
    Bonded,
    Chain,
    Series,
    Types,
    bonded,
    by_types,
    impropers_by_types,
    named,
    types_of,
)
from forgefield.io.forcefields.laid.format import Positions, SystemFormat, one_of_each_fold
from forgefield.io.forcefields.laid.near import near, require_lorentz_berthelot
from forgefield.io.offenders import listed
from forgefield.io.outputs import write_text
from forgefield.io.structures.mol2 import write_mol2
from forgefield.molecules.molecule import symbol
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.periodic import PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH

_NEVER = 1e11
"""Divides energies of pairs that have none."""
_CENTRE = 2
"""Place of the centre in an improper."""


def _write(path: Path, system: System, positions: Positions | None) -> tuple[Path, ...]:
    assert positions is not None
    what = f"{path}: an AMBER parameter file"
    require_lorentz_berthelot(system, what)
    held = _bonded(system, what)
    divisors = _divisors(system, held, what)
    # tleap has the atoms of an improper in the order of its row the first time alone, so that each has its own row.
    own = {one.chain: k for k, one in enumerate(filter(None, held.impropers.values()))}
    types = types_of(system, held, further=[*divisors, own])
    of_type = dict(zip(types, zip(system.types, system.species.tolist(), strict=True), strict=True))
    # The last letter of an element of two is no element that its name may begin with.
    names = list(amber_names(f"{symbol(z)[-1]} {name} {k}" for k, (name, z) in sorted(of_type.items())).values())
    beside = path.with_suffix(".mol2")
    sections = {
        "MASS": _masses(system, types, names),
        "BOND": _rows(held.stretches, types, names, 1.0),
        "ANGLE": _rows(held.bends, types, names, DEGREE),
        "DIHE": _dihedrals(held, divisors, types, names),
        "IMPROPER": _impropers(held, types, names),
        "NONBON": _nonbonded(system, types, names),
    }
    lines = [
        f"Force field written by ForgeField from {Path(system.source).name}: in tleap loadAmberParams {path.name}, "
        f"then loadMol2 {beside.name}"
    ]
    for title, rows in sections.items():
        lines += [title, *rows, ""]
    write_text(path, "\n".join([*lines, ""]))
    charges = system.through_space.charges * math.sqrt(system.through_space.coulomb / COULOMB)
    molecule = system.structure(positions, Path(system.source).stem, "")
    write_mol2(beside, molecule, tuple(names[k] for k in types), charges, names=_atom_names(system))
    return path, beside


def _atom_names(system: System) -> tuple[str, ...] | None:
    """Return the names of the atoms; None where they do not begin with the elements, or are not told apart."""
    symbols = [symbol(int(z)) for z in system.species]
    spelled = all(
        name.startswith(one) and re.fullmatch(r"[\w'*]{1,4}", name)
        for name, one in zip(system.names, symbols, strict=True)
    )
    return system.names if spelled and len({*system.names}) == system.n_atoms else None


def _bonded(system: System, what: str) -> Bonded:
    """Return the interactions of a system. Raises InputError that lists those that no row holds."""
    held = bonded(system)
    held.require_no_stray(what)
    held.require_one_each(what)
    impropers = [(centre, one) for (centre, *_), one in held.impropers.items() if one is not None]
    wrong = [
        f"an improper whose centre does not stand third ({named(one.chain)})"
        for centre, one in impropers
        if one.chain[_CENTRE] != centre
    ]
    wrong += [f"impropers of {named(one.chain)} in several orders" for _, one in impropers if len(one.parts) > 1]
    if wrong:
        raise InputError(f"{what} cannot hold {listed(wrong)}")
    return held


def _divisors(system: System, held: Bonded, what: str) -> tuple[dict[Chain, float], dict[Chain, float]]:
    """Return what divides charges and van der Waals energies of the ends of torsions, where they act."""
    pairs = near(system, what)
    pairs.require_scaled(what)
    ends = {chain: (min(chain[0], chain[3]), max(chain[0], chain[3])) for chain in held.torsions}
    return (
        {chain: _divisor(pairs.pairs[pair].charge) for chain, pair in ends.items() if pair in pairs.charged},
        {chain: _divisor(pairs.pairs[pair].scale) for chain, pair in ends.items() if pair in pairs.attracted},
    )


def _divisor(scale: float | None) -> float:
    return 1.0 / scale if scale else _NEVER


def _joined(types: Types, names: Sequence[str]) -> str:
    return "-".join(f"{names[k]:<2}" for k in types)


def _masses(system: System, types: Types, names: Sequence[str]) -> Iterator[str]:
    of_type = dict(zip(types, zip(system.masses.tolist(), system.types, strict=True), strict=True))
    for k, (mass, name) in sorted(of_type.items()):
        yield f"{names[k]} {mass:16.10f} {0.0:8.3f}    {name}"


def _rows(table: dict[Chain, Series], types: Types, names: Sequence[str], unit: float) -> Iterator[str]:
    for chain, series in sorted(by_types(table, types).items()):
        k, x0 = series[0] if series else (0.0, 1.0)
        yield f"{_joined(chain, names)} {0.5 * k:18.10f} {x0 / unit:18.10f}"


def _dihedrals(
    held: Bonded, divisors: Sequence[dict[Chain, float]], types: Types, names: Sequence[str]
) -> Iterator[str]:
    """Yield the rows of all torsions, of which all but the last of a series have a negative periodicity."""
    scee, scnb = (by_types(one, types) for one in divisors)
    for chain, series in sorted(by_types(held.torsions, types).items()):
        waves = series or ((0.0, 1.0, 0.0),)
        scales = f"SCEE={_plain(scee.get(chain, 1.0))} SCNB={_plain(scnb.get(chain, 1.0))}"
        for number, (k, n, phase) in enumerate(waves, 1):
            fold = n if number == len(waves) else -n
            yield f"{_joined(chain, names)}  1 {k:18.10f} {_degrees(phase):14.7f} {fold:5.1f}  {scales}"


def _impropers(held: Bonded, types: Types, names: Sequence[str]) -> Iterator[str]:
    for chain, one in sorted(impropers_by_types(held, types).items()):
        for k, n, phase in one.series:
            yield f"{_joined(chain, names)} {k:18.10f} {_degrees(phase):14.7f} {n:5.1f}"


def _degrees(phase: float) -> float:
    """Return a phase as tleap turns it back, which takes 180° for what it is."""
    return math.copysign(180.0, phase) if abs(abs(phase) - math.pi) < 1e-9 else phase / DEGREE


def _plain(number: float) -> str:
    return f"{number:.10f}".rstrip("0").removesuffix(".") + ".0" * float(number).is_integer()


def _nonbonded(system: System, types: Types, names: Sequence[str]) -> Iterator[str]:
    of_type = dict(zip(types, system.through_space.parameters.tolist(), strict=True))
    for k, (radius, depth) in sorted(of_type.items()):
        yield f"  {names[k]} {radius:18.10f} {depth:18.10f}"


FRCMOD = SystemFormat(
    "an AMBER parameter file",
    (HARMONIC_STRETCH, HARMONIC_BEND, PERIODIC_TORSION, PERIODIC_IMPROPER),
    *(_write, (".mol2",)),
    needs_positions=True,
    adapted=one_of_each_fold,
)
