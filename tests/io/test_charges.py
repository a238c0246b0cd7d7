"""Atomic charges in QM files of all kinds."""

import json
from dataclasses import replace

import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io.assemble.merge import merged
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.gaussian.charges import printed_charges
from forgefield.io.qm.jaguar import read_jaguar_output
from forgefield.io.qm.qcschema import read_qcschema, write_qcschema
from forgefield.io.references import read_reference
from forgefield.io.structures.xyz import read_xyz, write_xyz
from forgefield.molecules.molecule import AtomicCharges, Molecule, Reference
from samples import AT_WATER

WATER = Reference(
    species=np.array([8, 1, 1]),
    positions=AT_WATER,
    charges=(
        AtomicCharges("esp", np.array([-0.8, 0.4, 0.4])),
        AtomicCharges("mulliken", np.array([-0.6, 0.3, 0.3])),
    ),
)
# As Gaussian 16 prints them with pop=(mk,hirshfeld).
GAUSSIAN_16 = """
 Mulliken charges:
               1
     1  O   -0.600000
     2  H    0.300000
     3  H    0.300000
 Sum of Mulliken charges =   0.00000
 Mulliken charges with hydrogens summed into heavy atoms:
               1
     1  O    0.000000
 Hirshfeld charges, spin densities, dipoles, and CM5 charges using IRadAn=     15:
              Q-H        S-H        Dx         Dy         Dz        Q-CM5
     1  O   -0.310000   0.000000   0.000000   0.000000  -0.150000  -0.640000
     2  H    0.155000   0.000000   0.000000   0.120000  -0.090000   0.320000
     3  H    0.155000   0.000000   0.000000  -0.120000  -0.090000   0.320000
       Tot   0.000000   0.000000   0.000000   0.000000  -0.330000   0.000000
 Charges from ESP fit, RMS=   0.00171 RRMS=   0.09:
 ESP charges:
               1
     1  O   -0.800000
     2  H    0.400000
     3  H    0.400000
 Sum of ESP charges =   0.00000
"""
GAUSSIAN_03 = """
 Charges from ESP fit, RMS=   0.00171 RRMS=   0.09000:
 Charge=   0.00000 Dipole=     0.0000     0.0000     2.1000 Tot=     2.1000
              1
     1  O   -0.800000
     2  H    0.400000
     3  H    0.400000
 -----------------------------------------------------------------
"""
JAGUAR = """Jaguar version 7.5, release 207
  final geometry:
                  angstroms
  atom               x                 y                 z
  O1             0.0000000000      0.0000000000      0.1200000000
  H2             0.0000000000      0.7600000000     -0.4700000000
  H3             0.0000000000     -0.7600000000     -0.4700000000

 SCFE: SCF energy: HF    -76.02 hartrees   iterations:   8

  Atomic charges from electrostatic potential:

    Atom       O1           H2
    Charge    -0.80000      0.40000

    Atom       H3
    Charge     0.40000

  sum of atomic charges:      0.000000

  Atomic charges from Mulliken population analysis:

    Atom       O1           H2           H3
    Charge    -0.60000      0.30000      0.30000

  sum of atomic charges:      0.000000

Job water completed on host at Mon Jan  1 00:00:00 2024
"""


def kinds(charges):
    return {one.kind: one.values.tolist() for one in charges}


EXPECTED = kinds(WATER.charges)


def test_gaussian_prints_charges_of_four_kinds(tmp_path):
    found = kinds(printed_charges(tmp_path, GAUSSIAN_16, 3))

    more = {"hirshfeld": [-0.31, 0.155, 0.155], "cm5": [-0.64, 0.32, 0.32]}
    assert found == EXPECTED | more


def test_older_gaussian_prints_esp_charges_under_the_fit(tmp_path):
    assert kinds(printed_charges(tmp_path, GAUSSIAN_03, 3)) == {"esp": EXPECTED["esp"]}


def test_charges_of_the_oldest_gaussian_are_those_of_the_last_geometry(data):
    (reference,) = read_reference([data / "ethane/GS.log"])

    assert kinds(reference.charges) == {
        "mulliken": [0.144274, -0.43282, 0.14427, -0.43282, 0.144276, 0.144276, 0.14427, 0.144274]
    }


def test_a_table_of_charges_that_is_cut_short_is_refused(tmp_path):
    with pytest.raises(InputError, match="4 atoms, but 3 mulliken charges"):
        printed_charges(tmp_path, GAUSSIAN_16, 4)


def test_fchk_holds_charges(tmp_path, data):
    text = (data / "ethane/GS.fchk").read_text()
    numbers = np.array([-0.3, 0.1, 0.1, 0.1, -0.3, 0.1, 0.1, 0.1])
    rows = "\n".join("".join(f"{q:16.8E}" for q in part) for part in (numbers[:5], numbers[5:]))
    (tmp_path / "GS.fchk").write_text(text + f"{'ESP Charges':<40}   R   N={8:12d}\n{rows}\n")

    (reference,) = read_reference([tmp_path / "GS.fchk"])

    assert kinds(reference.charges) == {"esp": numbers.tolist()}


def test_jaguar_prints_charges_in_blocks(tmp_path):
    (tmp_path / "water.out").write_text(JAGUAR)

    assert kinds(read_jaguar_output(tmp_path / "water.out").charges) == EXPECTED


def test_jaguar_output_that_lacks_charges_is_refused(tmp_path):
    (tmp_path / "water.out").write_text(JAGUAR.replace("    Atom       H3\n    Charge     0.40000\n", ""))

    with pytest.raises(InputError, match="3 atoms, but 2 atomic charges"):
        read_jaguar_output(tmp_path / "water.out")


def test_qcschema_and_extended_xyz_return_what_was_written(tmp_path):
    molecule = Molecule("water", WATER.species, WATER.positions)

    write_qcschema(tmp_path / "water.json", molecule, WATER)
    write_xyz(tmp_path / "water.xyz", [WATER])

    assert kinds(read_qcschema(tmp_path / "water.json").charges) == EXPECTED
    assert kinds(read_xyz(tmp_path / "water.xyz")[0].charges) == EXPECTED


def test_charges_among_the_variables_of_psi4_are_read(tmp_path):
    path = tmp_path / "water.json"
    write_qcschema(path, Molecule("water", WATER.species, WATER.positions), replace(WATER, charges=()))
    content = json.loads(path.read_text())
    content["extras"]["qcvars"] = {"MULLIKEN CHARGES": [[-0.6], [0.3], [0.3]], "SCF TOTAL ENERGY": -76.0}
    path.write_text(json.dumps(content))

    assert kinds(read_qcschema(path).charges) == {"mulliken": EXPECTED["mulliken"]}


def test_a_column_of_charges_has_the_kind_that_the_comment_states(tmp_path):
    rows = ["O 0 0 0.12 -0.8", "H 0 0.76 -0.47 0.4", "H 0 -0.76 -0.47 0.4"]
    head = 'Properties=species:S:1:pos:R:3:charges:R:1 charges_kind=ESP pbc="F F F"'
    (tmp_path / "water.xyz").write_text("\n".join(["3", head, *rows]) + "\n")

    assert kinds(read_xyz(tmp_path / "water.xyz")[0].charges) == {"esp": EXPECTED["esp"]}


def test_charges_of_other_atoms_or_of_another_job_are_refused():
    def part(source, *charges):
        return Part(source=source, species=WATER.species, positions=WATER.positions, charges=charges)

    other = AtomicCharges("esp", np.array([-0.7, 0.35, 0.35]))

    with pytest.raises(InputError, match="esp charges of 2 atoms"):
        part("a", AtomicCharges("esp", np.zeros(2)))
    with pytest.raises(InputError, match=r"esp charges: a and b differ by 0.1000 e"):
        merged([part("a", *WATER.charges), part("b", other)])
