"""All kinds of files that programs write, in one table; the first that a text is known to be of counts."""

from forgefield.io.qm.programs import (
    adf,
    gamess,
    geometric,
    molden,
    molpro,
    mopac,
    nwchem,
    orca,
    psi4,
    qchem,
    turbomole,
    xtb,
)
from forgefield.io.qm.programs.printout import Kind

KINDS: tuple[Kind, ...] = (
    *orca.KINDS,
    *xtb.KINDS,
    *psi4.KINDS,
    *nwchem.KINDS,
    *qchem.KINDS,
    *turbomole.KINDS,
    *gamess.KINDS,
    *molpro.KINDS,
    *mopac.KINDS,
    *geometric.KINDS,
    *molden.KINDS,
    *adf.KINDS,
)
