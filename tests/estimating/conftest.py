"""QM Hessians and made-up force fields that the tests of estimates share."""

from types import SimpleNamespace

import numpy as np
import pytest

from forgefield import units
from forgefield.molecules.elements import SYMBOLS
from forgefield.molecules.molecule import standard_masses


def structure(symbols, positions, hessian):
    species = np.array([SYMBOLS.index(s) for s in symbols])
    return SimpleNamespace(
        species=species, positions=np.array(positions), hessian=hessian, masses=standard_masses(species)
    )


def from_psi4(folder, name):
    lines = [line.split() for line in (folder / f"{name}-optimized.xyz").read_text().splitlines()[2:] if line.strip()]
    hessian = np.load(folder / f"{name}-hessian.npy") * units.HARTREE_PER_BOHR2
    return structure([line[0] for line in lines], [[float(x) for x in line[1:4]] for line in lines], hessian)


@pytest.fixture
def ch3f(data):
    return from_psi4(data / "ch3f", "ch3f")


@pytest.fixture
def sn2(data):
    return from_psi4(data / "sn2", "sn2-ts")


@pytest.fixture
def rhodium(data):
    """Structure 1 of rh-enamide: 36 atoms, lower triangle of the Hessian in blocks of five columns."""
    lines = next((data / "rh-enamide/jaguar").glob("1*.in")).read_text().splitlines()
    atoms = [line.split() for line in section(lines, "&zmat")]
    hessian = np.zeros((3 * len(atoms), 3 * len(atoms)))
    first = 0
    for words in (line.split() for line in section(lines, "&hess")):
        if len(words) == 1:
            first = int(words[0]) - 1
            continue
        row, columns = int(words[0]) - 1, slice(first, first + len(words) - 1)
        hessian[row, columns] = hessian[columns, row] = [float(word) for word in words[1:]]
    symbols = ["".join(filter(str.isalpha, words[0])) for words in atoms]
    positions = [[float(x) for x in words[1:4]] for words in atoms]
    return structure(symbols, positions, hessian * units.HARTREE_PER_BOHR2)


def section(lines, name):
    start = lines.index(name) + 1
    end = next(i for i in range(start, len(lines)) if lines[i].startswith("&"))
    return lines[start:end]


@pytest.fixture(scope="session")
def harmonic_hessian():
    """Hessian at the minimum of Σ ½ k x² over internal coordinates with these gradients."""

    def hessian(constants, gradients):
        rows = np.reshape(gradients, (len(constants), -1))
        return rows.T @ (np.array(constants)[:, None] * rows)

    return hessian


@pytest.fixture(scope="session")
def bent():
    """A-B-C with its gradients of r_AB, r_CB and θ, worked out by hand."""

    def molecule(r1, r2, theta):
        a = np.array([1.0, 0.0, 0.0])
        c = np.array([np.cos(theta), np.sin(theta), 0.0])
        away_a = np.array([0.0, -1.0, 0.0])
        away_c = np.array([-np.sin(theta), np.cos(theta), 0.0])
        gradients = [
            [a, -a, 0.0 * a],
            [0.0 * c, -c, c],
            [away_a / r1, -away_a / r1 - away_c / r2, away_c / r2],
        ]
        return SimpleNamespace(positions=np.array([r1 * a, 0.0 * a, r2 * c]), gradients=gradients)

    return molecule
