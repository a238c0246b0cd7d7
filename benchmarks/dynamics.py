"""Molecular dynamics: steps per second in the compiled loop and through ASE, and how well energy is conserved.

Run as `python benchmarks/dynamics.py`; one JSON object on stdout, progress on stderr. One core, unless XLA finds a GPU;
paracetamol (20 atoms) under an untrained PaiNN of the size of the paper and under a generated classical force field,
and 10 ps of ethanol under a force field read off its GFN2-xTB Hessian.
"""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from ase import Atoms
from ase import units as ase_units
from ase.md.verlet import VelocityVerlet as AseVerlet
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from forgefield import units
from forgefield.assign.assignment import Assignment
from forgefield.assign.generated import generate
from forgefield.engines.ase import ForgeFieldCalculator
from forgefield.engines.native.choice import fastest, way_of
from forgefield.engines.native.library import PAINN, loaded, vector_bits_of
from forgefield.engines.native.processor import machine
from forgefield.engines.qm.reference import minimum
from forgefield.engines.qm.xtb import XTB
from forgefield.io.qm.qcschema import write_qcschema
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.jobs.fit.plan.choices import FORMS
from forgefield.jobs.md.dynamics import run_dynamics
from forgefield.jobs.md.dynamics_results import summary
from forgefield.jobs.md.dynamics_settings import DynamicsSettings
from forgefield.models.model import AbstractModel
from forgefield.models.neural.painn import SIZES, Design, Painn, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.measure import lengths
from forgefield.molecules.molecule import Molecule, standard_masses
from forgefield.molecules.topology import Topology, union
from forgefield.simulate.dynamics import start, trajectory
from forgefield.simulate.integrators import VelocityVerlet
from forgefield.simulate.motion import Motion

CORES = 1
REPEATS = 5
TIMESTEP_FS = 0.5
SCALE = 1e-4
"""Of the untrained network's output. It binds no atoms: started from rest, they stay where they are for picoseconds, so
that there are as many neighbours as in a molecule."""
SECONDS = 2.0
"""Of one repeat."""

Figures = dict[str, Any]


def main() -> None:
    """Measure everything and print it."""
    if hasattr(os, "sched_setaffinity"):
        # Before XLA counts the cores, at the first computation.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-CORES:])
    jax.config.update("jax_enable_x64", True)
    on_gpu = jax.default_backend() == "gpu"
    figures: Figures = machine() | {
        "load_average_start": os.getloadavg()[0],
        "device": jax.devices()[0].device_kind,
        "cores": CORES,
    }
    molecule = embedded("paracetamol", "CC(=O)Nc1ccc(O)cc1")
    model, laid = network(), classical(molecule)
    topology = union([molecule.species])
    figures["nve_first_s"], figures["nve_steps_per_s"] = loop(model, topology, molecule, 1)
    fast = fastest(model)
    figures["native_steps_per_s"] = loop(fast, topology, molecule, 1)[1] if fast is not model else None
    figures["kernel_vector_bits"] = vector_bits_of(loaded(PAINN)) if way_of(fast) == "native" else None
    figures["ase_steps_per_s"] = through_ase(ForgeFieldCalculator(model), molecule)
    figures["classical_nve_first_s"], figures["classical_nve_steps_per_s"] = loop(
        laid.model, laid.topology, molecule, 1
    )
    figures["classical_ase_steps_per_s"] = through_ase(ForgeFieldCalculator(laid), molecule)
    for n in (1, 16, 256) if on_gpu else (1, 16):
        for kind, (m, t) in {"": (fast, topology), "classical_": (laid.model, laid.topology)}.items():
            _, rate = loop(m, t, molecule, n)
            figures[f"{kind}replicas_{n}_replica_steps_per_s"] = n * rate
            tell(f"{kind}replicas {n}: {n * rate:.0f} replica-steps/s")
    figures |= conservation()
    figures["load_average_end"] = os.getloadavg()[0]
    print(json.dumps(figures, indent=1))


def tell(text: str) -> None:
    """Write a line of progress to stderr."""
    print(text, file=sys.stderr, flush=True)


def embedded(name: str, smiles: str) -> Molecule:
    """Return a molecule in a geometry of MMFF94."""
    made = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(made, randomSeed=1)
    rdForceFieldHelpers.MMFFOptimizeMolecule(made, maxIters=2000)
    species = np.array([atom.GetAtomicNum() for atom in made.GetAtoms()])
    positions = np.array(made.GetConformer().GetPositions())
    bonds, orders = perceive_bonds(species, positions)
    return Molecule(name, species, positions, bonds, orders)


def network() -> Painn:
    """Return an untrained PaiNN of the size of the paper with a cut-off of 5 Å."""
    size = SIZES["original"]
    design = Design((1, 6, 7, 8), SineBasis(size.radial, 5.0), QuinticEnvelope(), SCALE * units.ELECTRONVOLT)
    return painn(jr.key(0), design, size)


def classical(molecule: Molecule) -> Assignment:
    """Return a generated force field of the form of MM3 with van der Waals interactions."""
    form = FORMS["mm3"]
    return generate([molecule], (form["stretch"], form["bend"], form["torsion"]), van_der_waals=form["vdw"])


def loop(model: AbstractModel, topology: Topology, molecule: Molecule, n_replicas: int) -> tuple[float, float]:
    """Return the seconds of the first block, compiled in it, and the steps per second of all replicas together."""
    masses = standard_masses(molecule.species)
    begun = start(topology, np.repeat(molecule.positions[None], n_replicas, 0), masses, temperature=0.0, seed=0)
    motion = begun
    integrator = VelocityVerlet(jnp.asarray(TIMESTEP_FS * units.FEMTOSECOND))

    def run(n_steps: int) -> None:
        nonlocal motion
        # Always from the same geometry: an untrained network takes a molecule anywhere in the end.
        for block in trajectory(model, topology, masses, integrator, begun, n_steps=n_steps, every=100):
            motion = block.motion

    began = perf_counter()
    run(1)
    first = perf_counter() - began
    rate = steps_per_s(run)
    assert intact(motion, molecule)
    return first, rate


def through_ase(calculator: ForgeFieldCalculator, molecule: Molecule) -> float:
    """Return the steps per second of ASE's velocity Verlet."""
    atoms = Atoms(molecule.species, molecule.positions, masses=standard_masses(molecule.species), calculator=calculator)
    dynamics = AseVerlet(atoms, TIMESTEP_FS * ase_units.fs)
    dynamics.run(1)
    rate = steps_per_s(dynamics.run)
    tell(f"through ASE: {rate:.0f} steps/s")
    return rate


def steps_per_s(run: Callable[[int], object]) -> float:
    """Return the median over repeats of a few seconds."""
    began = perf_counter()
    run(20)
    n_steps = max(20, int(20 * SECONDS / (perf_counter() - began)))
    rates = []
    for _ in range(REPEATS):
        began = perf_counter()
        run(n_steps)
        rates.append(n_steps / (perf_counter() - began))
    return statistics.median(rates)


def intact(motion: Motion, molecule: Molecule) -> bool:
    """Say whether no replica has blown up, and all bonds are still bonds; atoms may turn about them."""
    before = lengths(molecule.positions[molecule.bonds])
    now = np.array(
        [lengths(x[molecule.bonds]) for x in np.asarray(motion.positions).reshape(-1, *molecule.positions.shape)]
    )
    return bool((np.asarray(motion.failed) < 0).all() and (np.abs(now / before - 1.0) < 0.5).all())


def conservation() -> Figures:
    """Simulate ethanol for 10 ps at constant energy, through the job behind `forgefield md`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        relaxed, reference = minimum(embedded("ethanol", "CCO"), XTB())
        write_qcschema(folder / "ethanol.json", relaxed, reference)
        write_estimated(folder / "ethanol.fld", estimate([folder / "ethanol.json"]))
        settings = DynamicsSettings(20_000, timestep=TIMESTEP_FS, every=10)
        figures: Figures = {}
        for kind, chosen in {"": settings, "half_step_": replace(settings, n_steps=40_000, timestep=0.25)}.items():
            output = folder / f"{kind}md.h5"
            told = summary(run_dynamics(folder / "ethanol.fld", folder / "ethanol.json", output, chosen))
            keys = (
                "energy_drift_kcal_mol_atom_ps",
                "energy_fluctuation_kcal_mol_atom",
                "temperature_mean_k",
                "steps_per_s",
            )
            figures |= {f"ethanol_10ps_{kind}{key}": told[key] for key in keys}
            tell(f"ethanol, 10 ps: {told}")
    return figures


if __name__ == "__main__":
    main()
