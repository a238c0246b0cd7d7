"""What several tests use: texts of FIT.toml, the head of an MM3* force field, water, and a chain that can be turned."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield import units
from forgefield.assign.explicit.rules import SystemRules
from forgefield.engines.programs.lammps_program import Lammps, running_lammps
from forgefield.io.forcefields.neural.schnetpack import Settings
from forgefield.io.structures.xyz import write_xyz
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.properties.derivatives import forces

HARMONIC = 'form = "harmonic"\n'
BONDED = HARMONIC + 'terms = ["stretch", "bend"]\n'
TIED = """
[[forcefield.ties]]
follower = "stretch C1-H1 k"
leader = "stretch C2-H1 k"
factor = 0.9
"""
FREQUENCIES = "frequencies = { tolerance = 20.0 }\n"
FORCES = "forces = { tolerance = 1.0 }\n"


def molecule(name: str, policy: str = "") -> str:
    """The table of FIT.toml of an example's molecule; a transition state has a policy."""
    return f'[[molecules]]\nreference = "{name}.json"\n' + (f'transition_state = "{policy}"\n' if policy else "")


CH3F = molecule("ch3f")
STAGGERED = molecule("staggered")


def fit_toml(*molecules: str, forcefield: str = HARMONIC, targets: str = FREQUENCIES, fit: str = "") -> str:
    """A FIT.toml with these tables of molecules, and these lines under its other heads."""
    return f"[forcefield]\n{forcefield}\n{''.join(molecules)}[targets]\n{targets}\n[fit]\n{fit}\n"


MM3_HEAD = """ A force field
-1
 0    STR     3      601.99392
 0    BND     3      601.99392
 0    TOR     1        2.09200
 0    IMP     1       60.19939
 0    S-B     1      601.99392
 0    B-B     1        4.18400
 0    T-S     1        4.18400
 0    VDW     3        4.18400
 0    ELE     1     1389.50000
 0    HBD     1      418.40000
-5
"""
"""Up to the types of atoms."""

AT_WATER = np.array([[0.0, 0.0, 0.12], [0.0, 0.76, -0.47], [0.0, -0.76, -0.47]])
"""Å: a geometry of water near its minimum, oxygen first."""
WATER = Molecule("water", np.array([8, 1, 1]), AT_WATER, np.array([[0, 1], [0, 2]]), np.ones(2))


def chain(first: float, second: float = 100.0) -> np.ndarray:
    """A bent chain of five atoms whose two dihedrals have these angles [degrees]."""
    positions = [np.array([0.0, 0.0, 0.0]), np.array([1.4, 0.0, 0.0]), np.array([1.9, 1.4, 0.0])]
    for degrees in (first, second):
        a, b, c = positions[-3:]
        along = (c - b) / np.linalg.norm(c - b)
        normal = np.cross(b - a, along)
        normal /= np.linalg.norm(normal)
        angle, turn = np.radians(70.0), np.radians(degrees)
        local = 1.5 * np.array([np.cos(angle), np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn)])
        positions.append(c + local @ np.array([along, np.cross(normal, along), normal]))
    return np.array(positions)


AS_SCHNETPACK_HAS_IT = Settings(
    energy_unit="eV",
    length_unit="Å",
    cutoff_fn="CosineCutoff",
    activation="silu",
    aggregation_mode="sum",
    epsilon=1e-8,
    offsets="per atom",
)
"""What the tensors of a PaiNN of SchNetPack do not say."""


KINDS_OF_SANDER = {
    "stretch": ("bond",),
    "bend": ("angle",),
    "torsion and improper": ("dihedral",),
    "vdw": ("vdw", "vdw14"),
    "electrostatic": ("elec", "elec14"),
    "total": ("total",),
}
"""The names of energies that sander prints, by ours."""


def as_sander_has_them(totals_kj_mol: Mapping[str, float]) -> dict[str, float]:
    """Energies by kind [kcal/mol], impropers among the torsions."""
    found = {kind: energy * units.KILOJOULE for kind, energy in totals_kj_mol.items()}
    return found | {"torsion and improper": found.get("torsion", 0.0) + found.get("improper", 0.0)}


TURNED = "torsion hn-ns-c-o n1 k", "torsion hn-ns-c-o n2 k"
"""Rows of N-methylacetamide of which the field of `write_shifted` has others, 3 and 2 kcal/mol."""


def places_of(rules: SystemRules) -> dict[str, int]:
    """Where the values of a topology stand, by name."""
    return {row.parameter_name(p): row.indices[p] for row in rules.rowed.rows for p in range(row.term.n_own)}


def write_shifted(path: Path, rules: SystemRules, molecule: Molecule, turned: Sequence[str] = TURNED) -> None:
    """Write displaced structures with the forces of a field that has two other torsions."""
    places, values = places_of(rules), rules.rowed.values.copy()
    values[[places[name] for name in turned]] += [1.0, -0.5]
    shift = np.random.default_rng(1).normal(scale=0.05, size=(4, molecule.n_atoms, 3))
    positions = molecule.positions + shift
    model, topology = rules.with_values(values).lay([replace(molecule, positions=x) for x in positions])
    found = -np.asarray(forces(model, topology, jnp.asarray(positions.reshape(-1, 3)))).reshape(positions.shape)
    write_xyz(path, [Reference(molecule.species, x, gradient=g) for x, g in zip(positions, found, strict=True)])


def lammps_program():
    """Return LAMMPS, which finds the MPI of this environment once that is loaded; skip where it is not installed."""
    if why := Lammps().why_not():
        pytest.skip(f"no LAMMPS ({why})")
    return running_lammps()
