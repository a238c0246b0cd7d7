"""Atoms without a nucleus, and jobs of several geometries: refused by name, or the right one is read."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError
from forgefield.io.references import read_reference
from forgefield.molecules.elements import is_ghost

GOLDEN = Path(__file__).parent / "golden"
ORCA = """
                                 * O   R   C   A *
|  1> ! HF STO-3G
|  2> * xyz 0 1
|  3> He {mark} 0.0 0.0 0.0
|  4> He 0.0 0.0 3.0
CARTESIAN COORDINATES (ANGSTROEM)
---------------------------------
  He     0.000000    0.000000    0.000000
  He     0.000000    0.000000    3.000000

----------------------------
CARTESIAN COORDINATES (A.U.)
----------------------------
  NO LB      ZA    FRAG     MASS         X           Y           Z
   0 He    {charge}    0     4.003    0.000000    0.000000    0.000000
   1 He    2.0000    0     4.003    0.000000    0.000000    5.669178

FINAL SINGLE POINT ENERGY       -5.6
                             ****ORCA TERMINATED NORMALLY****
"""
QCHEM = """
                  Welcome to Q-Chem
             Standard Nuclear Orientation (Angstroms)
    I     Atom           X                Y                Z
 ----------------------------------------------------------------
    1      GH      0.0000000000     0.0000000000     0.0000000000
    2      He      0.0000000000     0.0000000000     3.0000000000
 ----------------------------------------------------------------
 Total energy in the final basis set = -2.8000000000
        *  Thank you very much for using Q-Chem.  Have a nice day.  *
"""
INPUT = "# HF/STO-3G\n\ntitle\n\n0 1\n{label} 0.0 0.0 0.0\nHe 0.0 0.0 3.0\n\n"
MOL2 = """@<TRIPOS>MOLECULE
he
2 0
SMALL
NO_CHARGES
@<TRIPOS>ATOM
1 Bq1 0.0 0.0 0.0 Bq
2 He2 0.0 0.0 3.0 He
"""
FILES = {
    "colon.out": (ORCA.format(mark=":", charge="2.0000"), "line 5: 'He :' is a ghost"),
    "charge.out": (ORCA.format(mark="", charge="0.0000"), "line 16: 'He' is a ghost"),
    "qchem.out": (QCHEM, "line 3: 'GH' is a ghost"),
    "behind.gjf": (INPUT.format(label="H-Bq"), "line 6: 'H-Bq' is a ghost"),
    "alone.gjf": (INPUT.format(label="Bq"), "line 6: 'Bq' is a ghost"),
    "he.mol2": (MOL2, "name Bq1, type Bq"),
    "he.xyz": ("2\n\nGh(He) 0 0 0\nHe 0 0 3\n", r"'Gh\(He\)' \(line 3\) are no element symbols"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_ghost_is_refused_by_name(name, tmp_path):
    text, message = FILES[name]
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(InputError, match=message):
        read_reference([path])


def test_atoms_of_elements_that_look_like_ghosts_are_none():
    elements = ("He", "Ge", "B", "Ga", "Xe", "H1", "C_2", "Bk")

    assert not any(is_ghost(label) for label in elements)


def test_a_geometry_that_begins_with_a_ghost_does_not_give_its_energy_to_another():
    with pytest.raises(InputError, match=r"line \d+: 'Gh\(HE\)' is a ghost"):
        read_reference([GOLDEN / "psi4" / "he2-ghost.out.gz"])


def test_ghosts_of_a_checkpoint_are_told_by_the_charges_of_nuclei(data, tmp_path):
    lines = (data / "ethane/GS.fchk").read_text().splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("Nuclear charges"))
    lines[start + 1] = lines[start + 1].replace("1.00000000E+00", "0.00000000E+00", 1)
    path = tmp_path / "ghost.fchk"
    path.write_text("\n".join(lines))

    with pytest.raises(InputError, match=r"atoms \d are ghosts, without a charge"):
        read_reference([path])


def named(tmp_path: Path, old: str = "", new: str = "") -> Path:
    """Return a job of NWChem for two geometries, with its last `old` replaced."""
    text = gzip.decompress((GOLDEN / "nwchem/water-two-geometries.out.gz").read_bytes()).decode()
    first, found, rest = text.rpartition(old) if old else (text, "", "")
    path = tmp_path / "named.out"
    path.write_text(first + (new if found else "") + rest)
    return path


def test_the_last_task_tells_which_of_two_geometries_it_is_for(tmp_path):
    (reference,) = read_reference([named(tmp_path)])

    np.testing.assert_allclose(reference.positions[:, 2], [0.117, -0.469, -0.469], atol=1e-8)
    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, -74.962946646992, rtol=1e-12)
    assert reference.gradient is not None


def test_a_gradient_of_another_geometry_is_not_taken_for_that_of_the_energy(tmp_path):
    path = named(tmp_path, "RHF ENERGY GRADIENTS", "RHF")

    with pytest.raises(InputError, match="the gradient here is of another geometry than the one of the energy"):
        read_reference([path])


def test_an_energy_of_other_nuclei_is_refused(tmp_path):
    path = named(tmp_path)
    path.write_text(
        path.read_text().replace("\n Nuclear repulsion energy =      9.", "\n Nuclear repulsion energy =      8.")
    )

    with pytest.raises(InputError, match=r"repel each other by 8\.193914 Hartree, those of the geometry by 9\.30556"):
        read_reference([path])
