"""What AMBER topologies of CHARMM's force fields (chamber) have beside those of AMBER's own."""

import numpy as np
from jaxtyping import Float, Int

from forgefield.assign.explicit.system import Stated
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.sections import Sections
from forgefield.terms.cross import UREY_BRADLEY
from forgefield.terms.periodic import HARMONIC_IMPROPER
from forgefield.terms.term import Term

COULOMB = 332.0716
"""kcal·Å/mol/e²; charges stand in the file multiplied by its root."""
_MARK = "CHARMM_UREY_BRADLEY_COUNT"


def is_chamber(sections: Sections) -> bool:
    """Say whether a topology is of a CHARMM force field."""
    return _MARK in sections


def stated_by_charmm(sections: Sections, n_atoms: int) -> tuple[Stated, ...]:
    """Return Urey-Bradley terms and harmonic impropers; none of other topologies. Raises InputError."""
    if not is_chamber(sections):
        return ()
    n_ends, n_kinds = sections.integers(_MARK, 2).tolist()
    ends = sections.records("CHARMM_UREY_BRADLEY", n_ends, 3)
    (n_impropers,) = sections.integers("CHARMM_NUM_IMPROPERS", 1).tolist()
    impropers = sections.records("CHARMM_IMPROPERS", n_impropers, 5)
    (n_types,) = sections.integers("CHARMM_NUM_IMPR_TYPES", 1).tolist() if n_impropers else (0,)
    names = tuple(f"CHARMM_UREY_BRADLEY_{what}" for what in ("FORCE_CONSTANT", "EQUIL_VALUE"))
    of_impropers = "CHARMM_IMPROPER_FORCE_CONSTANT", "CHARMM_IMPROPER_PHASE"
    return (
        _stated(sections, UREY_BRADLEY, (ends, names, n_kinds), n_atoms),
        _stated(sections, HARMONIC_IMPROPER, (impropers, of_impropers, n_types), n_atoms),
    )


def _stated(
    sections: Sections,
    term: Term,
    listed: tuple[Int[np.ndarray, "interactions _"], tuple[str, ...], int],
    n_atoms: int,
) -> Stated:
    """Return interactions of a term: k q², where ours is half of it."""
    records, names, count = listed
    atoms, number = records[:, :-1] - 1, records[:, -1] - 1
    if not len(records):
        return Stated(term, np.zeros((0, term.order), dtype=np.int64), np.zeros((0, 2)))
    table = np.stack([sections.numbers(name, count) for name in names], axis=1)
    if (atoms < 0).any() or (atoms >= n_atoms).any() or (number < 0).any() or (number >= count).any():
        raise InputError(f"{sections.path}: interactions of {names[0]} name atoms or types that there are not")
    return Stated(term, atoms, table[number] * [2.0, 1.0])


def coefficients_14(
    sections: Sections, count: int
) -> tuple[Float[np.ndarray, " types"], Float[np.ndarray, " types"]] | None:
    """Return the coefficients of pairs three bonds apart by pair of types; None where they are those of all pairs."""
    if not is_chamber(sections):
        return None
    a, b = (sections.numbers(f"LENNARD_JONES_14_{letter}COEF", count) for letter in "AB")
    return a, b
