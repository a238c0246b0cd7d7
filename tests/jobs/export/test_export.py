"""`forgefield export`: what other programs compute is what we compute."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from ase import Atoms
from ase.units import Bohr, Hartree

from forgefield import units
from forgefield.engines.ase import ForgeFieldCalculator
from forgefield.io.forcefields.neural.painn_file import write_painn
from forgefield.io.molecules import read_structures
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.jobs.export.laid_molecule import laid_molecule
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import CosineEnvelope, SineBasis
from forgefield.molecules.molecule import atomic_weights
from forgefield.simulate.dynamics import start, trajectory
from forgefield.simulate.integrators import VelocityVerlet

CH3F = Path(__file__).parents[3] / "examples/ch3f/ch3f.json"
MOLECULE = read_structures(CH3F)[0]
X = MOLECULE.positions + np.random.default_rng(0).normal(scale=0.05, size=MOLECULE.positions.shape)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    write_estimated(folder / "ch3f.frcmod", estimate([CH3F], form="harmonic"))
    model = painn(jr.key(2), Design((1, 6, 9), SineBasis(6, 3.0), CosineEnvelope(), 23.06), Size(8, 1, 6))
    write_painn(folder / "network.safetensors", model)
    return folder


def python(script, *words, folder):
    """Run Python in a process of its own, in which what is imported is what is installed."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=folder,
        env=os.environ,
        text=True,
        capture_output=True,
        check=True,
    ).stdout


ALONE = """
import json, sys
sys.path.insert(0, ".")
import jax, {name}_run as runner
energy, forces = runner.energy_and_forces(json.loads(sys.argv[1]))
print(json.dumps([energy, forces.tolist(), any(m.startswith("forgefield") for m in sys.modules)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ch3f.frcmod", pytest.param("network.safetensors", marks=pytest.mark.slow)])
def test_the_artefact_computes_the_same_without_us(forgefield, folder, name):
    pytest.importorskip("flatbuffers", reason="flatbuffers is not installed (extra export)")
    stem = name.partition(".")[0]
    done = forgefield("export", folder / name, CH3F, "--to", "jax", "-o", folder / f"{stem}.jax")
    assert done.exit_code == 0, done.output

    energy, forces, seen = json.loads(python(ALONE.format(name=stem), json.dumps(X.tolist()), folder=folder))

    laid = laid_molecule(folder / name, CH3F)
    said, slope = laid.model.energy_and_gradient(laid.topology, jnp.asarray(X))
    assert not seen
    np.testing.assert_allclose(energy, float(said[0]) / units.ELECTRONVOLT, rtol=1e-6)
    np.testing.assert_allclose(forces, -np.asarray(slope) / units.ELECTRONVOLT, atol=1e-5)
    assert len((folder / f"{stem}_run.py").read_text().splitlines()) <= 24


@pytest.mark.openmm
def test_openmm_moves_atoms_as_we_do(folder):
    openmm = pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    from forgefield.engines.openmm_force import system_of  # noqa: PLC0415

    system, positions = system_of(folder / "ch3f.frcmod", CH3F)
    laid = laid_molecule(folder / "ch3f.frcmod", CH3F)
    masses = atomic_weights(laid.molecule.species)
    step = jnp.asarray(0.5 * units.FEMTOSECOND)
    begun = start(laid.topology, X[None], masses, temperature=0.0, seed=0)
    *_, block = trajectory(laid.model, laid.topology, masses, VelocityVerlet(step), begun, n_steps=40, every=40)

    context = openmm.Context(system, openmm.VerletIntegrator(0.0005), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(X / units.NANOMETRE)
    # Its velocities are those of half a step before.
    forces = context.getState(getForces=True).getForces(asNumpy=True)._value
    context.setVelocities(-0.5 * 0.0005 * np.asarray(forces) / masses[:, None])
    context.getIntegrator().step(40)

    found = context.getState(getPositions=True).getPositions(asNumpy=True)._value
    assert positions.shape == X.shape
    np.testing.assert_allclose(np.asarray(found) * units.NANOMETRE, np.asarray(block.motion.positions)[0], atol=1e-6)


@pytest.mark.openmm
def test_forces_that_are_no_slope_are_refused_at_the_start(folder, monkeypatch):
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    from forgefield.engines import openmm_force  # noqa: PLC0415

    honest = openmm_force.Compute.__call__
    monkeypatch.setattr(
        openmm_force.Compute, "__call__", lambda self, s: (honest(self, s)[0], 1.05 * honest(self, s)[1])
    )
    (folder / "moved.xyz").write_text(
        f"{len(X)}\n\n" + "\n".join(f"{s} {x} {y} {z}" for s, (x, y, z) in zip(MOLECULE.symbols, X, strict=True))
    )

    with pytest.raises(openmm_force.InputError, match=r"off the slope of the energy by \d"):
        openmm_force.system_of(folder / "network.safetensors", folder / "moved.xyz")


IPI = """
import json, sys
import numpy as np
from ipi.pes import load_pes
driver = load_pes("custom", sys.argv[1])(verbosity=1)
energy, forces, virial, extras = driver(np.eye(3) * 50.0, np.array(json.loads(sys.argv[2])))
print(json.dumps([energy, forces.tolist()]))
"""


@pytest.mark.slow
def test_ipi_loads_the_driver_and_gets_our_forces(forgefield, folder):
    pytest.importorskip("ipi", reason="i-PI is not installed")
    assert forgefield("export", folder / "ch3f.frcmod", CH3F, "--to", "ipi", "-o", folder / "pes.py").exit_code == 0

    energy, forces = json.loads(
        python(IPI, folder / "pes.py", json.dumps((X / Bohr).tolist()), folder=folder).splitlines()[-1]
    )

    atoms = Atoms(MOLECULE.species, X, calculator=ForgeFieldCalculator(folder / "ch3f.frcmod", CH3F))
    np.testing.assert_allclose(energy * Hartree, atoms.get_potential_energy(), rtol=1e-9)
    np.testing.assert_allclose(np.array(forces) * Hartree / Bohr, atoms.get_forces(), atol=1e-8)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["network.safetensors", CH3F, "--to", "lammps"], "--to lammps: can be jax, openmm, ipi, schnetpack"),
        (["network.safetensors", "--to", "jax"], "name the structure that it is for"),
        (["network.safetensors", CH3F, "--to", "schnetpack"], "weights are for any molecule"),
        (["ch3f.frcmod", "--to", "schnetpack"], "is no neural model"),
        (["none.safetensors", CH3F], "there is no such force field"),
    ],
)
def test_what_cannot_be_exported_is_one_message(forgefield, folder, monkeypatch, words, said):
    monkeypatch.chdir(folder)

    done = forgefield("export", *words)

    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
