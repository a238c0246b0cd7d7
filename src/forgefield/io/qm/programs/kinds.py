"""All kinds of files that programs write, in one table; the first that a text is known to be of counts."""

from forgefield.io.qm.programs import (
    aims,
    cfour,
    cp2k,
    dalton,
    gamess,
    geometric,
    molcas,
    molden,
    qchem,
    turbomole,
    xtb,
)
from forgefield.io.qm.programs.molpro import output as molpro
from forgefield.io.qm.programs.molpro import xml
from forgefield.io.qm.programs.mopac import aux
from forgefield.io.qm.programs.mopac import output as mopac
from forgefield.io.qm.programs.nwchem import output as nwchem
from forgefield.io.qm.programs.orca import files, old_properties, properties
from forgefield.io.qm.programs.orca import output as orca
from forgefield.io.qm.programs.printout import Kind
from forgefield.io.qm.programs.psi4 import output as psi4
from forgefield.io.qm.programs.scm import adf, ams

KINDS: tuple[Kind, ...] = tuple(
    kind
    for module in (
        orca,
        files,
        properties,
        old_properties,
        xtb,
        psi4,
        nwchem,
        qchem,
        turbomole,
        gamess,
        molpro,
        xml,
        aux,
        mopac,
        geometric,
        molden,
        adf,
        ams,
        dalton,
        molcas,
        cfour,
        cp2k,
        aims,
    )
    for kind in module.KINDS
)
