"""Small molecules and random force fields for the writers of generated force fields."""

from collections.abc import Callable
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.assignment import Assignment
from forgefield.assign.generated import generate
from forgefield.molecules.bonds import perceive_bonds, perceive_transition_state_bonds
from forgefield.molecules.elements import atomic_number
from forgefield.molecules.molecule import Molecule

_THIRD = np.sqrt(0.75)
GEOMETRIES = {
    "fluoromethane": "C 0 0 -.64 F 0 0 .75 H 1.03 0 -.99 H -.515 .892 -.99 H -.515 -.892 -.99",
    "ethane": "C 0 0 .765 C 0 0 -.765 H 1.02 0 1.16 H -.51 .883 1.16 H -.51 -.883 1.16 "
    "H -1.02 0 -1.16 H .51 .883 -1.16 H .51 -.883 -1.16",
    "saddle": f"C 0 0 0 F 0 0 1.84 F 0 0 -1.84 H 1.07 0 0 H -.535 {1.07 * _THIRD} 0 H -.535 {-1.07 * _THIRD} 0",
    "acetonitrile": "C 0 0 -1.18 C 0 0 .28 N 0 0 1.44 H 1.02 0 -1.55 H -.51 .885 -1.55 H -.51 -.885 -1.55",
    "formamide": "C 0 0 0 O 1.2 .1 0 H -.6 -.95 .05 H -1.4 1.9 0 N -.65 1.2 .1 H -.1 2.1 .2",
}


def _molecule(name: str) -> Molecule:
    words = GEOMETRIES[name].split()
    species = np.array([atomic_number(s) for s in words[::4]])
    positions = np.array([[float(w) for w in words[i + 1 : i + 4]] for i in range(0, len(words), 4)])
    perceive = perceive_transition_state_bonds if name == "saddle" else perceive_bonds
    bonds, orders = perceive(species, positions)
    return Molecule(name, species, positions, bonds, orders, charge=-1 if name == "saddle" else 0)


@pytest.fixture(scope="session")
def molecules() -> list[Molecule]:
    """Five molecules: a saddle with a straight angle, a straight chain, and two planar centres among them."""
    return [_molecule(name) for name in GEOMETRIES]


@pytest.fixture
def random_field(molecules, generator) -> Callable[..., Assignment]:
    """Make a force field of these terms with random values; those of torsions to a nitrile's end are zero."""

    def make(*terms, of=molecules, van_der_waals=None, charging=None, depth=1):
        made = generate(of, terms, depth=depth, van_der_waals=van_der_waals, charging=charging)
        nitrile = {name for name, described in made.descriptions.items() if described == "N(C)"}
        values = np.array(made.model.values)
        for row in made.rows:
            switched = row.term.kind == "torsion" and bool(nitrile & set(row.types))
            for place, parameter in zip(row.indices, row.term.own, strict=True):
                values[place] = 0.0 if switched else _drawn(generator, row.term.kind, parameter.name, values[place])
        return replace(made, model=eqx.tree_at(lambda m: m.values, made.model, jnp.asarray(values)))

    return make


def _drawn(generator, kind, name, value):
    match kind, name:
        case "stretch", "k":
            return generator.uniform(100.0, 1000.0)
        case (("bend" | "urey_bradley"), "k"):
            return generator.uniform(10.0, 150.0)
        case _, "r0" | "theta0" | "r_i" | "e_i":
            # By symmetry an angle of 180° stays what it is.
            return value if value == np.pi else value * generator.uniform(0.95, 1.05)
        case _, "dq" | "moment":
            return generator.normal(scale=0.2)
        case _:
            return generator.normal(scale=2.0)


@pytest.fixture
def displaced(molecules, generator) -> np.ndarray:
    """Positions of all molecules [Å], as given and displaced at random."""
    positions = np.concatenate([m.positions for m in molecules])
    return positions + np.concatenate(
        [np.zeros((1, *positions.shape)), generator.normal(0.0, 0.04, (4, *positions.shape))]
    )


@pytest.fixture(scope="session")
def energies() -> Callable[[Assignment, np.ndarray], np.ndarray]:
    """Energies [geometries, molecules] of a force field at several geometries."""

    def evaluate(assignment, positions):
        return np.asarray(jax.jit(jax.vmap(lambda x: assignment.model.energy(assignment.topology, x)))(positions))

    return evaluate
