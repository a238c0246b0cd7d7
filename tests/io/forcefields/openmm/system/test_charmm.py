"""CHARMM's structures and parameters: energies by hand of a chain of four carbons."""

import math

import numpy as np
import pytest

from certain import instance
from forgefield import units
from forgefield.assign.explicit.rules import SystemRules
from forgefield.errors import InputError
from forgefield.io.listings.row_listing import row_listings
from forgefield.io.rules import load
from forgefield.molecules.molecule import Molecule

pytest.importorskip("openmm")

PSF = """PSF

         1 !NTITLE
 REMARKS a chain

         4 !NATOM
       1 SYS  1    MOL  C1   CA     0.500000       12.0110           0
       2 SYS  1    MOL  C2   CB    -0.500000       12.0110           0
       3 SYS  1    MOL  C3   CB    -0.500000       12.0110           0
       4 SYS  1    MOL  C4   CA     0.500000       12.0110           0

       3 !NBOND: bonds
       1       2       2       3       3       4

       2 !NTHETA: angles
       1       2       3       2       3       4

       1 !NPHI: dihedrals
       1       2       3       4

       0 !NIMPHI: impropers

       0 !NDON: donors

       0 !NACC: acceptors

       0 !NNB

"""
PRM = """* parameters
*

ATOMS
MASS -1 CA 12.011
MASS -1 CB 12.011

BONDS
CA   CB   200.0   1.40
CB   CB   300.0   1.45

ANGLES
CA   CB   CB   50.0   90.0   10.0   2.00

DIHEDRALS
CA   CB   CB   CA   1.5   2   180.0

IMPROPERS

NONBONDED nbxmod  5 atom cdiel fshift vatom vdistance vfswitch -
cutnb 14.0 ctofnb 12.0 ctonnb 10.0 eps 1.0 e14fac 1.0 wmin 1.5
CA   0.0   -0.1   2.0   0.0   -0.02   1.5
CB   0.0   -0.2   2.0

END
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "chain.psf").write_text(PSF)
    (tmp_path / "chain.prm").write_text(PRM)
    return tmp_path / "chain.psf", tmp_path / "chain.prm"


@pytest.fixture
def chain() -> Molecule:
    x = np.array([[0.0, 1.5, 0.0], [0.0, 0.0, 0.0], [1.5, 0.0, 0.0], [1.5, 0.0, 1.5]])
    return Molecule("chain", np.full(4, 6), x, np.array([[0, 1], [1, 2], [2, 3]]), np.ones(3))


def test_energies_by_hand(files, chain):
    rules = instance(SystemRules, load("+".join(map(str, files))))

    totals = row_listings([chain], rules.assign([chain]))[0].totals_kj_mol

    found = {kind: energy * units.KILOJOULE for kind, energy in totals.items()}
    far = math.sqrt(3.0) * 1.5
    assert found["stretch"] == pytest.approx(2 * 200.0 * 0.1**2 + 300.0 * 0.05**2, rel=1e-6)
    assert found["bend"] == pytest.approx(0.0, abs=1e-9)
    assert found["urey_bradley"] == pytest.approx(2 * 10.0 * (math.sqrt(2.0) * 1.5 - 2.0) ** 2, rel=1e-6)
    # A right angle about the middle bond.
    assert found["torsion"] == pytest.approx(1.5 * (1.0 + math.cos(2.0 * math.pi / 2.0 - math.pi)), rel=1e-6)
    # The pair three bonds apart has parameters of its own.
    assert found["vdw"] == pytest.approx(0.02 * ((3.0 / far) ** 12 - 2.0 * (3.0 / far) ** 6), rel=1e-6)
    assert found["electrostatic"] == pytest.approx(332.06371 * 0.25 / far, rel=1e-6)
    assert rules.system.types == ("CA", "CB", "CB", "CA")


def test_what_cannot_be_read_is_said(files, tmp_path):
    structure, parameters = files
    parameters.write_text(PRM.replace("CB   CB   300.0   1.45\n", ""))

    with pytest.raises(InputError, match=r"chain\.psf: holds no parameters; join the files that do"):
        load(structure)
    with pytest.raises(InputError, match=r"chain\.psf\+.*chain\.prm: OpenMM cannot read it"):
        load(f"{structure}+{parameters}")
