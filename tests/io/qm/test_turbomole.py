"""What Turbomole's control file and output say of state and level, in the layouts of its own programs."""

import pytest

from forgefield.errors import InputWarning
from forgefield.io.references import read_reference

CONTROL = """$title
$symmetry {symmetry}
$coord
    0.00000000000000      0.00000000000000      0.00000000000000      o
    0.00000000000000      0.00000000000000      2.28000000000000      o
$atoms
o  1-2                                                                         \\
   basis =o def2-TZVP                                                          \\
   jbas  =o def2-TZVP
$rundimensions
   natoms=2
{groups}$end
"""
TRIPLET = """$uhf
$alpha shells
 a       1-9                                    ( 1 )
$beta shells
 a       1-6,7                                  ( 1 )
"""
TRIPLET_OF_D2H = """$uhf
$alpha shells
 sigma   1-5                                    ( 1 )
 pi      1-2                                    ( 1 )
$beta shells
 sigma   1-5                                    ( 1 )
 pi      1                                      ( 1 )
"""
OPEN_SHELL = """$closed shells
 a       1-7                                    ( 2 )
$open shells type=1
 a       8-9                                    ( 1 )
"""
DICATION = """$closed shells
 a       1-7                                    ( 2 )
$charge from ridft
          2.000 (not to be modified here)
"""
DFT = "$dft\n   functional pbe0\n   gridsize   m4\n"
OUTPUT = """
 dscf (node) : TURBOMOLE V7.5 ( 123456 ) 1 Jan 2021
          Density Functional:
 UHF modus switched on !
                    atomic coordinates            atom    charge  isotop
          0.00000000    0.00000000    0.00000000    o      8.000     0
          0.00000000    0.00000000    2.28000000    o      8.000     0

   type   atoms  prim   cont   basis
   ---------------------------------------------------------------------------
    o        2     31     19   def2-TZVP   [5s3p2d1f|11s6p2d1f]
   ---------------------------------------------------------------------------
{functional}                 |  total energy      =   -149.68347000000  |
              nuc           elec       ->  total
 ------------------------------------------------------------------------------
                          charge
 ------------------------------------------------------------------------------
          16.000000     {electrons}       {charge}
 a-b                                     {unpaired}

   ****  dscf : all done  ****
"""
HEAD = """           ------------------
           density functional
           ------------------
 {} functional{}
 exchange:    3/4 (LDA+PBE) + 1/4 HF
"""


@pytest.mark.parametrize(
    ("groups", "symmetry", "expected"),
    [
        (TRIPLET + DFT + "$disp3 bj\n", "c1", (0, 3, "pbe0-D3(BJ)/def2-TZVP")),
        (TRIPLET_OF_D2H + DFT, "d6h", (0, 3, "pbe0/def2-TZVP")),
        (OPEN_SHELL, "c1", (0, 3, "HF/def2-TZVP")),
        (OPEN_SHELL + "$cosmo\n  epsilon=  78.0\n", "c1", (0, 3, "HF/def2-TZVP COSMO")),
        (DICATION + DFT, "c1", (2, 1, "pbe0/def2-TZVP")),
        (TRIPLET + "$ricc2\n  cc2\n", "c1", (0, 3, "")),
    ],
)
def test_a_control_file_tells_charge_multiplicity_and_level(tmp_path, groups, symmetry, expected):
    path = tmp_path / "control"
    path.write_text(CONTROL.format(symmetry=symmetry, groups=groups))

    (reference,) = read_reference([path])

    assert (reference.charge, reference.multiplicity, reference.level) == expected


@pytest.mark.parametrize(
    ("name", "rest", "level"),
    [("PBE0 hybrid", "", "PBE0"), ("Becke-3-Parameter hybrid", ": B3-LYP", "B3-LYP"), ("", "", "HF")],
)
@pytest.mark.parametrize(
    ("state", "expected"),
    [(("-16.000000", "0.000000", "2.000000"), (0, 3)), (("-15.000000", "1.000000", "1.000000"), (1, 2))],
)
def test_an_output_tells_charge_multiplicity_and_level(tmp_path, name, rest, level, state, expected):
    path = tmp_path / "dscf.out"
    electrons, charge, unpaired = state
    functional = HEAD.format(name, rest) if name else ""
    path.write_text(OUTPUT.format(functional=functional, electrons=electrons, charge=charge, unpaired=unpaired))

    (reference,) = read_reference([path])

    assert (reference.charge, reference.multiplicity) == expected
    assert reference.level == f"{level}/def2-TZVP"


def test_a_gradient_of_another_geometry_than_that_of_control_is_left_out_and_said(tmp_path):
    (tmp_path / "gradient").write_text(
        "$grad          cartesian gradients\n"
        "  cycle =      1    SCF energy =     -149.6834700000   |dE/dxyz| =  0.141421\n"
        "    0.00000000000000      0.00000000000000      0.00000000000000      o\n"
        "    0.00000000000000      0.00000000000000      2.20000000000000      o\n"
        "  0.00000000000000D+00  0.00000000000000D+00  0.10000000000000D+00\n"
        "  0.00000000000000D+00  0.00000000000000D+00 -0.10000000000000D+00\n"
        "$end\n"
    )
    path = tmp_path / "control"
    path.write_text(CONTROL.format(symmetry="c1", groups=f"{TRIPLET}$grad    file=gradient\n"))

    with pytest.warns(InputWarning, match="not of the geometry of"):
        (reference,) = read_reference([path])

    assert reference.energy is None
    assert reference.gradient is None


def test_a_group_may_begin_behind_a_blank(tmp_path):
    (tmp_path / "w.xyz").write_text("1\n\nHe 0 0 0\n")
    (tmp_path / "hessian").write_text(" $hessian\n" + "      0.0     0.0     0.0\n" * 3 + " $end\n")

    (reference,) = read_reference([tmp_path / "w.xyz", tmp_path / "hessian"])

    assert reference.hessian is not None
