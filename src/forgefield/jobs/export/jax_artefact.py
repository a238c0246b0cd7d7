"""Energy and forces of one molecule as a program of JAX that needs nothing of ours, with what runs it."""

import json
from pathlib import Path

import jax
import jax.export
import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.outputs import write_bytes, write_text
from forgefield.jobs.export.laid_molecule import LaidMolecule
from forgefield.models.model import AbstractModel
from forgefield.molecules.topology import Topology

_PLATFORMS = ("cpu", "cuda")
_RUNNER = '''"""Runs {name}: energy [eV] and forces [eV/Å] of {formula} at positions [Å], with JAX alone."""

import sys
from pathlib import Path

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
SYMBOLS = {symbols}
PROGRAM = jax.export.deserialize(bytearray((Path(__file__).parent / "{name}").read_bytes()))


def energy_and_forces(positions):
    """Return energy and forces of the atoms in the order of SYMBOLS."""
    energy, forces = PROGRAM.call(np.asarray(positions, np.float64))
    return float(energy), np.asarray(forces)


if __name__ == "__main__":
    lines = Path(sys.argv[1]).read_text().splitlines()[2 : 2 + len(SYMBOLS)]
    print(*energy_and_forces([[float(x) for x in line.split()[1:4]] for line in lines]), sep="\\n")
'''


def files_of(path: Path) -> list[Path]:
    """Return the program and what runs it."""
    return [path, path.with_name(f"{path.name.removesuffix(path.suffix)}_run.py")]


def write_artefact(path: Path, laid: LaidMolecule) -> None:
    """Write both, in the precision of the model, for CPUs and for GPUs of NVIDIA."""
    program = jax.export.export(jax.jit(_of(laid.model, laid.topology)), platforms=_PLATFORMS)
    shape = jax.ShapeDtypeStruct((laid.molecule.n_atoms, 3), jnp.float64)
    try:
        content = bytes(program(shape).serialize())
    except ImportError as error:
        raise InputError("JAX writes no programs without flatbuffers; run: pip install 'forgefield[export]'") from error
    write_bytes(path, content)
    symbols = json.dumps(list(laid.molecule.symbols))
    text = _RUNNER.format(name=path.name, formula=laid.molecule.formula, symbols=symbols)
    write_text(files_of(path)[1], text)


def _of(model: AbstractModel, topology: Topology):
    """Return a function of positions in the units of ASE."""

    def energy_and_forces(positions: Float[Array, "atoms 3"]) -> tuple[Float[Array, ""], Float[Array, "atoms 3"]]:
        energy, gradient = model.energy_and_gradient(topology, positions)
        return energy[0] / units.ELECTRONVOLT, -gradient / units.ELECTRONVOLT

    return energy_and_forces
