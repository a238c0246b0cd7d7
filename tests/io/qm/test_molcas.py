"""Final structures, symmetry, labels and states of Molcas 7 to OpenMolcas, in the layouts of its own output."""

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError
from forgefield.io.references import read_reference

HEAD = """   This run of MOLCAS is using the pymolcas driver
                             version 7.8 patchlevel 047
"""
TABLE = """
                    **** Cartesian Coordinates / Bohr, Angstrom ****
                    ************************************************

     Center  Label                x              y              z               x              y              z
        1      Ox1              0.000000       0.000000       {o:.6f}        0.000000       0.000000       {oa:.6f}
        2      Ha'              0.000000       1.430000       {h:.6f}        0.000000       0.756724       {ha:.6f}
        3      Ha'              0.000000      -1.430000       {h:.6f}        0.000000      -0.756724       {ha:.6f}

      Nuclear repulsion energy = {repulsion:11.6f}
"""
SCF = "{mark}    Total SCF energy                                {energy:.10f}\n"
FINAL = """ Geometrical information of the final structure
 *********************************************************
 * Nuclear coordinates of the final structure / Bohr     *
 *********************************************************
  ATOM              X               Y               Z
  OX1              0.000000        0.000000        {o:.6f}
  HA'              0.000000        1.430000        {h:.6f}

 Geometry is converged in   3 iterations
"""
END = "     Happy landing!\n"


def table(height):
    oxygen, hydrogen = np.array([0.0, 0.0, 0.0]), np.array([0.0, 1.43, -height])
    bonds = 2 * 8 / np.linalg.norm(hydrogen - oxygen)
    return TABLE.format(o=0.0, oa=0.0, h=-height, ha=-height * units.BOHR, repulsion=bonds + 1 / 2.86)


def read(tmp_path, text):
    path = tmp_path / "water.out"
    path.write_text(HEAD + text + END)
    (reference,) = read_reference([path])
    return reference


@pytest.mark.parametrize("mark", ["::", "  "])
def test_labels_and_energies_are_read_as_versions_print_them(tmp_path, mark):
    reference = read(tmp_path, table(1.11) + SCF.format(mark=mark, energy=-76.01))

    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, -76.01, rtol=1e-12)
    assert reference.species.tolist() == [8, 1, 1]
    assert (reference.level, reference.program) == ("HF", "Molcas 7.8")


def test_atoms_that_symmetry_makes_and_the_energy_are_of_the_computation_at_the_final_structure(tmp_path):
    first = table(1.0) + SCF.format(mark="::", energy=-76.0)
    last = table(1.11) + SCF.format(mark="::", energy=-76.01)

    reference = read(tmp_path, first + FINAL.format(o=0.0, h=-1.11) + last)

    assert reference.species.tolist() == [8, 1, 1]
    np.testing.assert_allclose(reference.positions[2] / units.BOHR, [0.0, -1.43, -1.11], atol=1e-6)
    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, -76.01, rtol=1e-12)
    assert reference.stationary_order == 0


def test_a_final_structure_whose_other_atoms_are_printed_nowhere_is_refused(tmp_path):
    with pytest.raises(InputError, match="final structure has 2 of 3 atoms"):
        read(tmp_path, table(1.0) + SCF.format(mark="::", energy=-76.0) + FINAL.format(o=0.0, h=-1.11))


def test_several_geometries_without_a_final_one_are_refused(tmp_path):
    first = table(1.0) + SCF.format(mark="::", energy=-76.0)

    with pytest.raises(InputError, match="several geometries"):
        read(tmp_path, first + table(1.11) + SCF.format(mark="::", energy=-76.01))


def test_the_level_is_that_of_the_energy_that_was_computed_last(tmp_path):
    first = " " * 35 + "SCF        iterations: Energy and convergence statistics\n"
    second = " " * 31 + "UHF B3LYP      iterations: Energy and convergence statistics\n"
    energy = "::    Total KS-DFT energy                             -76.3333807851\n"

    reference = read(tmp_path, table(1.11) + first + SCF.format(mark="::", energy=-76.01) + second + energy)

    assert reference.level == "B3LYP"
    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, -76.3333807851, rtol=1e-12)
