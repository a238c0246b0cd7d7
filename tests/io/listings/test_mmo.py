from collections import Counter

import numpy as np
import pytest

from certain import known
from forgefield.errors import InputError
from forgefield.io.listings.listing import Interaction, totals
from forgefield.io.listings.mmo import read_mmo

LISTING = """
         BOND LENGTHS AND STRETCH ENERGIES                 2 Stretch interactions present
         ---------------------------------
       Atom Numbers            Force Const    Length (Angstroms)   Energy
                                               Ideal    Actual     kJ/mol  Select Alts Comments        FF Line

            1     2               10.1000     1.2080    1.2454      3.879  O1      0    O=C            95
            1     3                4.3700     1.1180    1.0958      0.685  Subst   7    H-C ( =O)      82

         ANGLES, BEND AND STRETCH BEND ENERGIES            1 Bend interactions present
       Atom Numbers      Force Consts            Angle         Energy (kJ/mol)
                        KBnd1     KSBnd     Ideal    Actual     EBnd   ESBnd Select Alts Comments      FF Line

      2     1     3     0.850     0.090   119.200   120.752    0.188   0.020 O2      0                  177

                                                           1 Improper torsion interactions present

      2     1     3     2        0.000    0.800    0.000   -179.7     0.002  O1      0                  1022

      DIHEDRAL ANGLES AND TORSIONAL CROSS-TERMS           12 Torsion interactions present
     3      1     2     3        0.059    0.000    0.000     84.3    -0.021

         NONBONDED DISTANCES AND ENERGIES                   1 Nonbonded interactions present
       ATOM NUMBERS    CONST 1    CONST 2    CHARGE*  DISTANCE        ENERGY (kJ/mol)
            2     3  3.600      .9721E-01     0.0147     4.027     -0.356        5.080
1
Energy Equations in Use:
Total energy:               9.4770 kJ/mol (       2.2650 kcal/mol )
 Force-field terms:         9.4770 kJ/mol (       2.2650 kcal/mol )
  Stretch:                  4.5641 kJ/mol (       1.0909 kcal/mol )
  Bend:                     0.1880 kJ/mol (       0.0449 kcal/mol )
  Out-of-plane:             0.0020 kJ/mol (       0.0005 kcal/mol )
  Stretch-bend:             0.0200 kJ/mol (       0.0048 kcal/mol )
  Torsion-stretch:         -0.0212 kJ/mol (      -0.0051 kcal/mol )
  Van der Waals:           -0.3559 kJ/mol (      -0.0851 kcal/mol )
  Electrostatic:            5.0800 kJ/mol (       1.2141 kcal/mol )

 Connection Table
 C2 (    1)   0.100  0.100     1.1357     0.0000     2.7315   UNK   1       2=    3-
 O2 (    2)  -0.382 -0.382     0.0000    -0.5000     2.2203   UNK   1       1=
 H1 (    3)   0.282  0.282     2.2646     0.0859     2.0101   UNK   1       1-
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "formyl.mmo"
        path.write_text(text)
        return path

    return write


def test_rows_of_every_table(written):
    listing = read_mmo(written(LISTING))

    assert listing.interactions == (
        Interaction("stretch", (1, 2), {"k": 10.1, "r0": 1.208}, 1.2454, 3.879, 95),
        Interaction("stretch", (1, 3), {"k": 4.37, "r0": 1.118}, 1.0958, 0.685, 82, substructure=7),
        Interaction("bend", (2, 1, 3), {"k": 0.85, "theta0": 119.2}, 120.752, 0.188, 177),
        Interaction("stretch_bend", (2, 1, 3), {"k": 0.09}, 120.752, 0.02),
        Interaction("out_of_plane", (2, 1, 3, 2), {"v1": 0.0, "v2": 0.8, "v3": 0.0}, -179.7, 0.002, 1022),
        Interaction("torsion_stretch", (3, 1, 2, 3), {"k": 0.059, "k_bend": 0.0, "k_torsion": 0.0}, 84.3, -0.021),
        Interaction("vdw", (2, 3), {"radius": 3.6, "epsilon": 0.09721}, 4.027, -0.356),
        Interaction("electrostatic", (2, 3), {"charge_product": 0.0147}, 4.027, 5.08),
    )


def test_atoms_with_charges_and_positions(written):
    listing = read_mmo(written(LISTING))

    assert listing.types == ("C2", "O2", "H1")
    np.testing.assert_array_equal(listing.charges, [0.1, -0.382, 0.282])
    np.testing.assert_array_equal(known(listing.positions)[1], [0.0, -0.5, 2.2203])


def test_totals_are_those_stated(written):
    listing = read_mmo(written(LISTING))

    assert listing.totals_kj_mol["torsion_stretch"] == -0.0212
    assert listing.totals_kj_mol["torsion"] == 0.0
    assert listing.totals_kj_mol["total"] == 9.477


def test_published_listing(data):
    listing = read_mmo(data / "rh-enamide/mmo/4.mmo")

    counts = Counter(interaction.kind for interaction in listing.interactions)
    expected = {"stretch": 67, "bend": 138, "bend_bend": 143, "torsion": 166, "vdw": 1551}
    assert {kind: counts[kind] for kind in expected} == expected
    parameters = {"k": 0.0576, "theta0_1": 95.6, "theta0_2": 92.5}
    assert Interaction("bend_bend", (13, 20, 19, 20, 15), parameters, None, 0.027) in listing.interactions
    assert listing.types[:3] == ("RH", "O2", "C2")
    assert listing.totals_kj_mol["total"] == pytest.approx(600.38, abs=0.01)


@pytest.mark.parametrize("number", range(1, 6))
def test_published_listings_add_up(data, number):
    listing = read_mmo(data / f"rh-enamide/mmo/{number}.mmo")

    sums = totals(listing.interactions)

    # Rows are rounded to 0.001 kJ/mol.
    assert sums == pytest.approx(listing.totals_kj_mol, abs=0.03)
    assert listing.charges.sum() == pytest.approx(1.0, abs=0.002)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2 Stretch", "3 Stretch", "line 2: 2 rows follow where 3 are announced; the listing is truncated or edited"),
        ("1.2454", "******", "numbers of an interaction: '******' (line 7)"),
        ("      82", "    82x", "line 8: the line of the force-field file is '82x', expected an integer"),
        ("Subst   7", "Subst   x", "line 8: column Alts is 'x', expected an integer"),
        ("     4.027 ", " ", "line 25: expected 2 atoms and 6 numbers, found '2     3  3.600"),
        ("0.685 ", "0.785 ", "stretch rows add up to 4.664 kJ/mol, the listing states 4.564"),
        (
            "Force-field terms:         9.4",
            "Force-field terms:         9.6",
            "terms add up to 9.477 kJ/mol, the listing",
        ),
        ("  Van der Waals:", "  Solvation:", "the energy term 'Solvation' is not one of Stretch, Bend"),
        ("Connection Table", "Connections", "holds no connection table with atoms; the listing is truncated"),
        (" O2 (    2)", " O2 (    3)", "line 40: atom 3 stands where atom 2 is expected"),
        (" H1 (    3)", " H1 -   3)", "interactions of atom(s) 3, but the connection table has 2 atoms"),
        ("Force-field terms", "Terms", "states no total of its force-field terms; the listing is truncated"),
    ],
)
def test_damaged_listing_is_refused(written, old, new, message):
    with pytest.raises(InputError) as error:
        read_mmo(written(LISTING.replace(old, new)))

    assert message in str(error.value)


def test_listing_of_two_structures_is_refused(written):
    with pytest.raises(InputError, match="line 43: a second 'BOND LENGTHS AND STRETCH ENERGIES' begins here"):
        read_mmo(written(LISTING * 2))


def test_file_without_tables_is_refused(written):
    with pytest.raises(InputError, match="holds no table of interactions; is it a MacroModel listing with all details"):
        read_mmo(written("Total energy: 1.0 kJ/mol\n"))
