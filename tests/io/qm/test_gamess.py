"""Basis sets as GAMESS lists them."""

import pytest

from forgefield.io.references import read_reference

OUTPUT = """
          *         GAMESS VERSION = 30 SEP 2018 (R3)          *
          *             FROM IOWA STATE UNIVERSITY             *
     BASIS OPTIONS
     -------------
     GBASIS={basis:<12} IGAUSS=       {gauss}      POLAR=POPN31
     NDFUNC=       {d}     NFFUNC=       {f}     DIFFSP=       {heavy}
     NPFUNC=       {p}      DIFFS=       {light}     BASNAM=

 $CONTRL OPTIONS
 SCFTYP=RHF          RUNTYP=ENERGY       EXETYP=RUN
 MPLEVL=       0 CITYP =NONE         CCTYP =NONE      VBTYP =NONE
 DFTTYP=NONE         TDDFT =NONE
 ATOM      ATOMIC                      COORDINATES (BOHR)
           CHARGE         X                   Y                   Z
 HE          2.0     0.0000000000        0.0000000000        0.0000000000

 FINAL RHF ENERGY IS       -2.8500000000 AFTER   5 ITERATIONS
 EXECUTION OF GAMESS TERMINATED NORMALLY
"""


@pytest.mark.parametrize(
    ("basis", "gauss", "functions", "diffuse", "level"),
    [
        ("STO", 3, "000", "FF", "RHF/STO-3G"),
        ("N31", 6, "100", "FF", "RHF/6-31G*"),
        ("N31", 6, "101", "TF", "RHF/6-31+G**"),
        ("N311", 6, "201", "TT", "RHF/6-311++G(2d,p)"),
        ("N311", 6, "312", "FF", "RHF/6-311G(3df,2p)"),
        ("N311", 6, "200", "TF", "RHF/6-311+G(2d)"),
        ("CCD", 0, "000", "FF", "RHF/CCD"),
    ],
)
def test_the_level_names_diffuse_and_polarisation_functions(tmp_path, basis, gauss, functions, diffuse, level):
    path = tmp_path / "he.out"
    (d, f, p), (heavy, light) = functions, diffuse
    path.write_text(OUTPUT.format(basis=basis, gauss=gauss, d=d, f=f, p=p, heavy=heavy, light=light))

    (reference,) = read_reference([path])

    assert reference.level == level
