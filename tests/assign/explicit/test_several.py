"""Systems of several molecules share rows of equal types and values, but for charges and what is split."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.several import SeveralSystemsRules
from forgefield.assign.explicit.system import Stated, System, ThroughSpace
from forgefield.errors import InputError
from forgefield.io.selection import split
from forgefield.molecules.molecule import Molecule
from forgefield.terms.nonbonded import LENNARD_JONES
from forgefield.terms.stretch import HARMONIC_STRETCH

HYDROGEN, CHLORIDE = (np.array([[0.0, 0.0, 0.0], [length, 0.0, 0.0]]) for length in (0.8, 1.3))


def diatomic(name: str, species: tuple[int, int], constant: float, charge: float) -> System:
    """Two bonded atoms of the types h and x, or h and h."""
    types = tuple("h" if z == 1 else "x" for z in species)
    space = ThroughSpace(
        LENNARD_JONES,
        np.array([[1.0, 0.1]] * 2),
        np.array([charge, -charge]),
        332.0,
        np.array([[0, 1]]),
        np.array([[0.0, 0.5]]),
    )
    stretch = Stated(HARMONIC_STRETCH, np.array([[0, 1]]), np.array([[constant, 0.9]]))
    return System(
        *(name, "a test", np.array(species), np.array([[0, 1]]), types, ("A", "B"), ("MOL1",) * 2, np.ones(2)),
        interactions=(stretch,),
        through_space=space,
    )


def of_all(*systems: System) -> SeveralSystemsRules:
    return SeveralSystemsRules(tuple(map(SystemRules, systems)))


def structure(system: System, positions: np.ndarray) -> Molecule:
    return system.structure(positions, system.source, f"{system.source}.xyz")


HH, HCL = diatomic("hh", (1, 1), 500.0, 0.1), diatomic("hcl", (1, 17), 500.0, 0.1)


def test_rows_of_equal_types_and_values_are_one_but_for_charges():
    same_bond = replace(HCL, types=("h", "h"))

    names = [row.name for row in of_all(HH, same_bond).rowed.rows]

    charges = ["electrostatic A", "electrostatic B", "electrostatic A #2", "electrostatic B #2"]
    assert names == ["stretch h-h", "vdw h", *charges]
    other = replace(same_bond, interactions=diatomic("hcl", (1, 17), 400.0, 0.1).interactions)
    assert [row.name for row in of_all(HH, other).rowed.rows][4] == "stretch h-h #2"


def test_what_is_split_is_shared_with_no_other_molecule():
    found = split(of_all(HH, replace(HCL, types=("h", "h"))), ["atoms:A-B"]).rowed.rows

    assert [row.name for row in found if row.term.kind == "stretch"] == ["stretch A-B", "stretch A-B #2"]
    with pytest.raises(InputError, match='split: "atoms:A-C" selects no interaction of hh or hcl'):
        split(of_all(HH, HCL), ["atoms:A-C"])


def test_each_molecule_has_the_energy_of_its_own_system_and_values_reach_all():
    rules, molecules = of_all(HH, HCL), [structure(HCL, CHLORIDE), structure(HH, HYDROGEN), structure(HCL, CHLORIDE)]
    values = rules.rowed.values * 1.5

    model, topology = rules.with_values(values).lay(molecules)

    positions = jnp.asarray(np.concatenate([one.positions for one in molecules]))
    alone = []
    for own, molecule in zip((HCL, HH), molecules, strict=False):
        single = SystemRules(own)
        one, laid = single.with_values(single.rowed.values * 1.5).lay([molecule])
        alone += one.energy(laid, jnp.asarray(molecule.positions)).tolist()
    np.testing.assert_allclose(model.energy(topology, positions), [*alone, alone[0]], rtol=1e-12)


def test_a_molecule_of_no_system_or_of_two_is_named():
    with pytest.raises(InputError, match=r"its atoms are ClH, which is none of\n  hh: H2\n  hh: H2"):
        of_all(HH, HH).assign([structure(HCL, CHLORIDE)])
    with pytest.raises(InputError, match="may be of hh and hh, which are not told apart by bonds and types"):
        of_all(HH, HH).of(structure(HH, HYDROGEN))
