"""The programs that a fit can be given by name."""

from forgefield.engines.programs.jax_md_program import JaxMd
from forgefield.engines.programs.lammps_program import Lammps
from forgefield.engines.programs.openmm_program import OpenMM
from forgefield.engines.programs.program import AbstractProgram
from forgefield.engines.programs.sander_program import Sander
from forgefield.engines.programs.tinker_program import Tinker

PROGRAMS: dict[str, AbstractProgram] = {
    program.name: program
    for program in (
        *(OpenMM(), OpenMM("CPU"), OpenMM("CUDA"), OpenMM("OpenCL")),
        *(Lammps(), Sander(), Tinker(), JaxMd()),
    )
}
