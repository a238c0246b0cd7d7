"""AMBER topologies (.prmtop, .parm7): every interaction of a system as tleap and its like write it."""

from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import Stated, System, ThroughSpace, chemical_bonds
from forgefield.errors import InputError, InputWarning
from forgefield.io.forcefields.amber.chamber import COULOMB as CHARMM_COULOMB
from forgefield.io.forcefields.amber.chamber import coefficients_14, is_chamber, stated_by_charmm
from forgefield.io.forcefields.amber.sections import Sections, read_sections
from forgefield.io.offenders import listed
from forgefield.molecules.elements import WEIGHTS
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cmap import correction_map
from forgefield.terms.nonbonded import LENNARD_JONES, LENNARD_JONES_PAIR
from forgefield.terms.periodic import PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH

COULOMB = 18.2223**2
"""kcal·Å/mol/e²; charges stand in the file multiplied by its root."""
_POINTERS: tuple[str, ...] = (
    "NATOM", "NTYPES", "NBONH", "MBONA", "NTHETH", "MTHETA", "NPHIH", "MPHIA",
    "NHPARM", "NPARM", "NNB", "NRES", "NBONA", "NTHETA", "NPHIA", "NUMBND",
    "NUMANG", "NPTRA", "NATYP", "NPHB", "IFPERT", "NBPER", "NGPER", "NDPER",
    "MBPER", "MGPER", "MDPER", "IFBOX", "NMXRS", "IFCAP", "NUMEXTRA",
)  # fmt: skip
_REFUSED = {
    "IFPERT": "a perturbed system",
    "IFBOX": "a periodic box, in which AMBER computes charges by PME; strip the solvent and the box (`parmed`: strip "
    ":WAT, then parm box none)",
    "IFCAP": "a cap of water",
    "NUMEXTRA": "virtual sites (extra points)",
}
"""What of the head is not ours, where its number is not zero."""
_REFUSED_SECTIONS = {
    "LENNARD_JONES_CCOEF": "the 12-6-4 potential of ions",
    "AMOEBA_FORCEFIELD": "the AMOEBA force field",
}
_DEFAULT_SCEE, _DEFAULT_SCNB = 1.2, 2.0
_UNEVEN = 5e-5
"""e; charges that are printed to 1e-8 sum to a whole number within it."""
_STRAIGHT = 1e-3
"""rad; a phase this close to 180° is meant to be 180°."""
_ROUNDING = 1e-5
"""Relative; coefficients of two types that differ by more from those that the types combine to are their own."""


def read_prmtop(path: Path) -> SystemRules:
    """Return the force field of an AMBER topology. Raises InputError that names what it has that we do not."""
    sections = read_sections(path)
    head = dict(zip(_POINTERS, sections.integers("POINTERS").tolist(), strict=False))
    if len(head) < len(_POINTERS) - 1:
        raise InputError(f"{path}: section POINTERS holds {len(head)} numbers, not {len(_POINTERS)}; it is cut")
    has = [what for name, what in _REFUSED.items() if head.get(name, 0)]
    has += [what for name, what in _REFUSED_SECTIONS.items() if name in sections]
    if "IPOL" in sections and sections.integers("IPOL").any():
        has.append("polarisation")
    if has:
        raise InputError(f"{path}: has what ForgeField does not compute: {'; '.join(has)}")
    n = head["NATOM"]
    if n < 1:
        raise InputError(f"{path}: has no atoms")
    coulomb = CHARMM_COULOMB if is_chamber(sections) else COULOMB
    charges = sections.numbers("CHARGE", n) / np.sqrt(coulomb)
    _check_sum(path, charges)
    masses = sections.numbers("MASS", n)
    species = _species(sections, n, masses)
    stretches, bends = _stretches(sections, head), _bends(sections, head)
    torsions, impropers, special, scales = _dihedrals(sections, head)
    bonded = stretches, bends, torsions, impropers
    parameters, own = _van_der_waals(sections, head)
    scales, near = _near(sections, head, special, scales)
    own, special, scales = _special(sections, n, (special, scales), own)
    space = ThroughSpace(LENNARD_JONES, parameters, charges, coulomb, special, scales)
    system = System(
        source=str(path),
        program="AMBER",
        species=species,
        bonds=chemical_bonds(species, stretches.atoms),
        types=sections.words("AMBER_ATOM_TYPE", n),
        names=sections.words("ATOM_NAME", n),
        residues=_residues(sections, head),
        masses=masses,
        interactions=(*bonded, *stated_by_charmm(sections, n), *_maps(sections, n), *near, own),
        through_space=space,
    )
    return SystemRules(system)


def _check_sum(path: Path, charges: Float[np.ndarray, " atoms"]) -> None:
    total = float(charges.sum())
    if abs(total - round(total)) > _UNEVEN:
        warn(
            f"{path}: its charges sum to {total:.5f} e, which is no whole number; they are taken as they are, where "
            "sander spreads the excess over all atoms",
            InputWarning,
            stacklevel=2,
        )


def _species(sections: Sections, n: int, masses: Float[np.ndarray, " atoms"]) -> Int[np.ndarray, " atoms"]:
    """Return atomic numbers, by masses where the file has none. Raises InputError for what is no element."""
    stated = sections.integers("ATOMIC_NUMBER", n) if "ATOMIC_NUMBER" in sections else np.zeros(n, dtype=np.int64)
    nearest = 1 + np.abs(WEIGHTS[1:, None] - masses[None]).argmin(axis=0)
    found = np.where(stated > 0, stated, nearest)
    wrong = (found >= len(WEIGHTS)) | ((stated <= 0) & (np.abs(WEIGHTS[nearest] - masses) > 0.1))
    if wrong.any():
        atoms = listed([f"{k + 1} ({masses[k]:g} amu)" for k in np.flatnonzero(wrong).tolist()])
        raise InputError(f"{sections.path}: atoms {atoms} are of no element that is known by number or mass")
    return found


def _residues(sections: Sections, head: dict[str, int]) -> tuple[str, ...]:
    names = sections.words("RESIDUE_LABEL", head["NRES"])
    starts = sections.integers("RESIDUE_POINTER", head["NRES"]) - 1
    counts = np.diff([*starts.tolist(), head["NATOM"]])
    if (counts < 0).any() or (len(starts) and starts[0] != 0):
        raise InputError(f"{sections.path}: section RESIDUE_POINTER does not ascend from 1 to the number of atoms")
    return tuple(f"{name}{k}" for k, name in enumerate(names, 1) for _ in range(counts[k - 1]))


def _records(
    sections: Sections, head: dict[str, int], names: tuple[str, str], counts: tuple[str, str], order: int
) -> tuple[Int[np.ndarray, "interactions order"], Int[np.ndarray, " interactions"]]:
    """Return the atoms of interactions, their signs kept, and the 0-based numbers of their parameters."""
    found = np.concatenate(
        [sections.records(name, head[count], order + 1) for name, count in zip(names, counts, strict=True)]
    )
    places, numbers = found[:, :order], found[:, order] - 1
    ordered = np.sort(np.abs(places), axis=1)
    wrong = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1) | (places % 3 != 0).any(axis=1) | (numbers < 0)
    wrong |= (ordered // 3 >= head["NATOM"]).any(axis=1)
    if wrong.any():
        row = " ".join(map(str, found[int(np.flatnonzero(wrong)[0])].tolist()))
        raise InputError(
            f"{sections.path}: sections {' and '.join(names)} name atoms or parameters that there are not, or one "
            f"twice: {row} (three times the number of each of {head['NATOM']} atoms from 0, and the parameters')"
        )
    return places, numbers


def _of_types(
    sections: Sections, names: tuple[str, ...], count: int, numbers: Int[np.ndarray, " interactions"]
) -> Float[np.ndarray, "interactions parameters"]:
    """Return the parameters of interactions from the sections that list them by number."""
    table = np.stack([sections.numbers(name, count) for name in names], axis=1)
    if len(numbers) and numbers.max() >= count:
        raise InputError(f"{sections.path}: section {names[0]} has {count} entries, but {numbers.max() + 1} is named")
    return table[numbers]


def _stretches(sections: Sections, head: dict[str, int]) -> Stated:
    names = "BONDS_INC_HYDROGEN", "BONDS_WITHOUT_HYDROGEN"
    places, numbers = _records(sections, head, names, ("NBONH", "MBONA"), 2)
    values = _of_types(sections, ("BOND_FORCE_CONSTANT", "BOND_EQUIL_VALUE"), head["NUMBND"], numbers)
    return Stated(HARMONIC_STRETCH, places // 3, values * [2.0, 1.0])


def _bends(sections: Sections, head: dict[str, int]) -> Stated:
    names = "ANGLES_INC_HYDROGEN", "ANGLES_WITHOUT_HYDROGEN"
    places, numbers = _records(sections, head, names, ("NTHETH", "MTHETA"), 3)
    values = _of_types(sections, ("ANGLE_FORCE_CONSTANT", "ANGLE_EQUIL_VALUE"), head["NUMANG"], numbers)
    return Stated(HARMONIC_BEND, places // 3, values * [2.0, 1.0])


def _dihedrals(
    sections: Sections, head: dict[str, int]
) -> tuple[Stated, Stated, Int[np.ndarray, "pairs 2"], Float[np.ndarray, "pairs 2"]]:
    """Return proper and improper torsions, and the pairs three bonds apart with the scales of their energies."""
    names = "DIHEDRALS_INC_HYDROGEN", "DIHEDRALS_WITHOUT_HYDROGEN"
    places, numbers = _records(sections, head, names, ("NPHIH", "MPHIA"), 4)
    count = head["NPTRA"]
    own = ("DIHEDRAL_FORCE_CONSTANT", "DIHEDRAL_PERIODICITY", "DIHEDRAL_PHASE")
    values = _of_types(sections, own, count, numbers)
    values[:, 1] = np.abs(values[:, 1])
    # As sander does: files have 3.141594.
    values[:, 2] = np.where(np.abs(values[:, 2] - np.pi) <= _STRAIGHT, np.pi, values[:, 2])
    atoms, improper = np.abs(places) // 3, places[:, 3] < 0
    # The end atoms interact where neither index is negative, once for each time that a dihedral names them.
    ends = (places[:, 2] >= 0) & ~improper
    divisors = np.stack(
        [
            sections.numbers(name, count, default)
            for name, default in (("SCNB_SCALE_FACTOR", _DEFAULT_SCNB), ("SCEE_SCALE_FACTOR", _DEFAULT_SCEE))
        ],
        axis=1,
    )[numbers[ends]]
    if (divisors <= 0.0).any():
        raise InputError(f"{sections.path}: a dihedral whose end atoms interact has a 1-4 divisor that is not positive")
    pairs, which = np.unique(np.sort(atoms[ends][:, [0, 3]], axis=1), axis=0, return_inverse=True)
    scales = np.zeros((len(pairs), 2))
    np.add.at(scales, which.reshape(-1), 1.0 / divisors)
    return (
        Stated(PERIODIC_TORSION, atoms[~improper], values[~improper]),
        Stated(PERIODIC_IMPROPER, atoms[improper], values[improper]),
        pairs.reshape(-1, 2),
        scales,
    )


def _maps(sections: Sections, n: int) -> tuple[Stated, ...]:
    """Return the corrections by two dihedrals, a term for each map."""
    prefix = next((name.removesuffix("COUNT") for name in sections.held if name.endswith("CMAP_COUNT")), None)
    if prefix is None:
        return ()
    n_terms, n_maps = sections.integers(f"{prefix}COUNT", 2).tolist()
    sizes = sections.integers(f"{prefix}RESOLUTION", n_maps).tolist()
    index = sections.records(f"{prefix}INDEX", n_terms, 6)
    if (index < 1).any() or (index[:, :5] > n).any() or (index[:, 5] > n_maps).any():
        wrong = (index < 1).any(axis=1) | (index[:, :5] > n).any(axis=1) | (index[:, 5] > n_maps)
        row = " ".join(map(str, index[int(np.flatnonzero(wrong)[0])].tolist()))
        said = f"names atoms or maps that there are not: {row} (five of {n} atoms, and one of {n_maps} maps)"
        raise InputError(f"{sections.path}: section {prefix}INDEX {said}")
    found = []
    for k, size in enumerate(sizes, 1):
        if size < 2:
            raise InputError(
                f"{sections.path}: section {prefix}RESOLUTION holds {size}; a map has two points a turn or more"
            )
        # From -180° on, the first dihedral slow.
        grid = np.roll(sections.numbers(f"{prefix}PARAMETER_{k:02d}", size**2).reshape(size, size), size // 2, (0, 1))
        atoms = index[index[:, 5] == k, :5] - 1
        term = correction_map(tuple(map(tuple, grid.tolist())))
        found.append(Stated(term, atoms, np.ones((len(atoms), 1))))
    return tuple(found)


def _van_der_waals(sections: Sections, head: dict[str, int]) -> tuple[Float[np.ndarray, "atoms 2"], Stated]:
    """Return radii and depths of atoms, and the pairs whose coefficients are not what their types combine to."""
    n, n_types = head["NATOM"], head["NTYPES"]
    kind = sections.integers("ATOM_TYPE_INDEX", n) - 1
    index = sections.integers("NONBONDED_PARM_INDEX", n_types**2).reshape(n_types, n_types)
    count = n_types * (n_types + 1) // 2
    a, b = sections.numbers("LENNARD_JONES_ACOEF", count), sections.numbers("LENNARD_JONES_BCOEF", count)
    if (kind < 0).any() or (kind >= n_types).any() or (index == 0).any() or (index > count).any():
        atoms = listed(
            [f"{a + 1} (type {kind[a] + 1})" for a in np.flatnonzero((kind < 0) | (kind >= n_types)).tolist()]
        )
        said = f"ATOM_TYPE_INDEX names types that there are not, of {n_types}: of atoms {atoms}"
        raise InputError(f"{sections.path}: {said if atoms else 'NONBONDED_PARM_INDEX names pairs that there are not'}")
    _require_no_hydrogen_bonds(sections, head, index)
    # Pairs of the old 10-12 potential whose coefficients are zero do not interact.
    a, b = (np.where(index > 0, one[np.maximum(index, 1) - 1], 0.0) for one in (a, b))
    if ((a > 0.0) != (b > 0.0)).any():
        raise InputError(
            f"{sections.path}: has what ForgeField does not compute: atoms that only attract, or only repel"
        )
    radii, depths = _minimum(a.diagonal(), b.diagonal())
    together = (radii[:, None] + radii[None]) ** 6
    mixed = np.sqrt(depths[:, None] * depths[None]) * together
    wanted = mixed * together, 2.0 * mixed
    differs = np.zeros_like(a, dtype=bool)
    for stated, combined in zip((a, b), wanted, strict=True):
        differs |= np.abs(stated - combined) > _ROUNDING * np.maximum(np.abs(stated), np.abs(combined))
    i, j = _pairs_of_types(kind, differs)
    half, depth = _minimum(a[kind[i], kind[j]], b[kind[i], kind[j]])
    values = np.stack([2.0 * half, depth], axis=1)
    atoms = np.stack([radii[kind], depths[kind]], axis=1)
    return atoms, Stated(LENNARD_JONES_PAIR, np.stack([i, j], axis=1), values.reshape(-1, 2))


def _near(
    sections: Sections, head: dict[str, int], pairs: Int[np.ndarray, "pairs 2"], scales: Float[np.ndarray, "pairs 2"]
) -> tuple[Float[np.ndarray, "pairs 2"], tuple[Stated, ...]]:
    """Return the scales of pairs three bonds apart, and those whose coefficients are not what other pairs' are.

    The latter keep no scale of their van der Waals energy.
    """
    n, n_types = head["NATOM"], head["NTYPES"]
    count = n_types * (n_types + 1) // 2
    if (other := coefficients_14(sections, count)) is None:
        return scales, ()
    kind = sections.integers("ATOM_TYPE_INDEX", n) - 1
    place = sections.integers("NONBONDED_PARM_INDEX", n_types**2).reshape(n_types, n_types)
    usual = [sections.numbers(f"LENNARD_JONES_{letter}COEF", count) for letter in "AB"]
    place = place[kind[pairs[:, 0]], kind[pairs[:, 1]]] - 1
    differs = np.zeros(len(pairs), dtype=bool)
    for near, all_ in zip(other, usual, strict=True):
        differs |= np.abs(near - all_)[place] > _ROUNDING * np.abs(all_)[place]
    half, depth = _minimum(other[0][place], other[1][place])
    values = np.stack([2.0 * half, depth * scales[:, 0]], axis=1)
    kept = np.where(differs[:, None], scales * [0.0, 1.0], scales)
    return kept, (Stated(LENNARD_JONES_PAIR, pairs[differs], values[differs]),)


def _pairs_of_types(
    kind: Int[np.ndarray, " atoms"], wanted: Bool[np.ndarray, "types types"]
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """Return the atoms i < j of all pairs of some types, without a list of all others."""
    found = [np.zeros((0, 2), dtype=np.int64)]
    for one, other in np.argwhere(np.triu(wanted)).tolist():
        first, second = np.meshgrid(np.flatnonzero(kind == one), np.flatnonzero(kind == other), indexing="ij")
        pairs = np.sort(np.stack([first.ravel(), second.ravel()], axis=1), axis=1)
        found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    together = np.unique(np.concatenate(found), axis=0)
    return together[:, 0], together[:, 1]


def _require_no_hydrogen_bonds(sections: Sections, head: dict[str, int], index: Int[np.ndarray, "types types"]) -> None:
    if (index > 0).all():
        return
    for name in ("HBOND_ACOEF", "HBOND_BCOEF"):
        if sections.numbers(name, head["NPHB"]).any():
            raise InputError(
                f"{sections.path}: has what ForgeField does not compute: the 10-12 potential of hydrogen bonds"
            )


def _minimum(
    a: Float[np.ndarray, " types"], b: Float[np.ndarray, " types"]
) -> tuple[Float[np.ndarray, " types"], Float[np.ndarray, " types"]]:
    """Return half the distance of the minimum [Å] and the depth [kcal/mol] of A/r¹² - B/r⁶; 0 where there is none."""
    some = (a > 0.0) & (b > 0.0)
    a, b = np.where(some, a, 1.0), np.where(some, b, 1.0)
    return np.where(some, 0.5 * (2.0 * a / b) ** (1.0 / 6.0), 0.0), np.where(some, b**2 / (4.0 * a), 0.0)


def _special(
    sections: Sections, n: int, near: tuple[Int[np.ndarray, "near 2"], Float[np.ndarray, "near 2"]], own: Stated
) -> tuple[Stated, Int[np.ndarray, "pairs 2"], Float[np.ndarray, "pairs 2"]]:
    """Return the pairs with coefficients of their own, all that do not interact as others do, and their scales.

    `near` are those three bonds apart with their scales. Pairs that are excluded have no coefficients left.
    """
    counts = sections.integers("NUMBER_EXCLUDED_ATOMS", n)
    if (counts < 0).any():
        raise InputError(f"{sections.path}: section NUMBER_EXCLUDED_ATOMS holds negative numbers")
    listed_atoms = sections.integers("EXCLUDED_ATOMS_LIST", int(counts.sum()))
    first = np.repeat(np.arange(n), counts)
    excluded = np.stack([first, listed_atoms - 1], axis=1)[listed_atoms > 0]
    if (excluded >= n).any() or (excluded[:, 0] == excluded[:, 1]).any():
        raise InputError(f"{sections.path}: section EXCLUDED_ATOMS_LIST names atoms that there are not")
    table = dict.fromkeys(map(tuple, np.sort(excluded, axis=1).tolist()), (0.0, 0.0))
    table |= {tuple(pair): tuple(scale) for pair, scale in zip(near[0].tolist(), near[1].tolist(), strict=True)}
    pairs = list(map(tuple, own.atoms.tolist()))
    known = np.array([table.get(pair, (1.0, 1.0)) for pair in pairs]).reshape(-1, 2)
    values = own.values * np.stack([np.ones(len(known)), known[:, 0]], axis=1)
    table |= {pair: (0.0, scale) for pair, scale in zip(pairs, known[:, 1].tolist(), strict=True)}
    kept = known[:, 0] > 0.0
    return (
        Stated(own.term, own.atoms[kept], values[kept]),
        np.array(list(table), dtype=np.int64).reshape(-1, 2),
        np.array(list(table.values())).reshape(-1, 2),
    )
