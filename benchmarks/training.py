"""Training of PaiNN on aspirin: structures a second with energies and forces, and with one Hessian product each.

Run as `python benchmarks/training.py [--peer PYTHON]`; one JSON object on stdout, progress on stderr. PYTHON is an
interpreter that has schnetpack 2.1.1 and torch 2.13.0: its PaiNN of the same size is then trained in turn with ours, on
the same structures in batches of the same size. The labels are drawn at random: a step takes as long on any others.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import jax.random as jr
import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from forgefield.distil.batches import Feed
from forgefield.distil.recipe import Recipe, Weights
from forgefield.distil.training import Course, begin, run
from forgefield.engines.native.choice import fastest_to_train, way_of
from forgefield.engines.native.processor import machine
from forgefield.models.neural.painn import SIZES, Design, Painn, Size, painn
from forgefield.models.neural.radial import CosineEnvelope, GaussianBasis
from forgefield.molecules.molecule import HessianProducts, Reference
from forgefield.units import ELECTRONVOLT

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
CUTOFF = 5.0
"""Å"""
BATCH = 16
STEPS = 12
"""Of one repeat; the first two of a call are not counted."""
REPEATS = 5
PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import torch, torch.utils.data.dataloader as loader
loader.T_co = getattr(loader, "T_co", None)  # schnetpack imports it for an annotation; torch 2.13 has it no more
import schnetpack as spk, schnetpack.nn as snn
from schnetpack.atomistic import Atomwise, Forces, PairwiseDistances
from schnetpack.interfaces import AtomsConverter
from schnetpack.transform import ASENeighborList
from ase import Atoms
torch.set_num_threads(int(sys.argv[2]))
cutoff, features, blocks, radial, numbers, frames, energies, forces = json.load(open(sys.argv[1]))
model = spk.model.NeuralNetworkPotential(
    spk.representation.PaiNN(features, blocks, snn.GaussianRBF(radial, cutoff), cutoff_fn=snn.CosineCutoff(cutoff)),
    input_modules=[PairwiseDistances()],
    output_modules=[Atomwise(n_in=features, output_key="energy"), Forces(energy_key="energy")])
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
batch = AtomsConverter(neighbor_list=ASENeighborList(cutoff=cutoff), dtype=torch.float32)(
    [Atoms(numbers=numbers, positions=x) for x in frames])
energies, forces = torch.tensor(energies), torch.tensor(forces)
def step():
    found = model(dict(batch))
    loss = ((found["energy"] - energies) ** 2).mean() + ((found["forces"] - forces) ** 2).mean()
    optimiser.zero_grad(); loss.backward(); optimiser.step()
step()
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    for _ in range(int(line)):
        step()
    print((time.perf_counter() - start) / int(line), flush=True)
"""


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", help="Python that has schnetpack")
    parser.add_argument("--sizes", default="original,small", help="names of sizes, with commas")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    # As `forgefield distil` has it: each core computes a share of a batch.
    jax.config.update("jax_num_cpu_devices", os.cpu_count() or 1)
    figures: dict[str, Any] = machine() | {"load_average_start": os.getloadavg()[0], "batch": BATCH}
    references = structures()
    for name in options.sizes.split(","):
        figures[f"{name}_{SIZES[name].features}_features"] = of_size(SIZES[name], references, options.peer)
    figures["load_average_end"] = os.getloadavg()[0]
    print(json.dumps(figures, indent=1))


def structures() -> list[Reference]:
    """Distorted aspirins with labels drawn at random."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(ASPIRIN))
    rdDistGeom.EmbedMolecule(molecule, randomSeed=7)
    species = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
    generator = np.random.default_rng(0)
    made = []
    for _ in range(BATCH):
        x = np.array(molecule.GetConformer().GetPositions()) + 0.05 * generator.normal(size=(len(species), 3))
        products = HessianProducts(generator.normal(size=(2, *x.shape)), generator.normal(size=(2, *x.shape)))
        made.append(
            Reference(species, x, float(generator.normal()), 20.0 * generator.normal(size=x.shape), products=products)
        )
    return made


def of_size(size: Size, references: list[Reference], peer: str | None) -> dict[str, Any]:
    """Return the figures of one size, all ways of training in turn in every repeat."""
    design = Design((1, 6, 8), GaussianBasis(size.radial, CUTOFF), CosineEnvelope(), ELECTRONVOLT)
    model = fastest_to_train(painn(jr.key(0), design, size))
    recipes = {
        "energy_and_forces": Recipe(batch=BATCH, steps=STEPS, check_every=STEPS + 1),
        "with_one_product": Recipe(batch=BATCH, steps=STEPS, check_every=STEPS + 1, weights=Weights(product=1.0)),
    }
    figures: dict[str, Any] = {"messages": way_of(model)}
    for name, recipe in recipes.items():
        start = perf_counter()
        seconds_of_step(model, references, replace(recipe, steps=3))
        figures[f"{name}_first_s"] = perf_counter() - start
    times: dict[str, list[float]] = {name: [] for name in recipes}
    with tempfile.TemporaryDirectory() as folder:
        process = start_peer(peer, Path(folder), size, references) if peer else None
        for _ in range(REPEATS):
            for name, recipe in recipes.items():
                times[name].append(seconds_of_step(model, references, recipe))
            if process is not None:
                times.setdefault("schnetpack", []).append(peer_time(process))
        if process is not None:
            process.communicate()
    figures |= {f"{name}_per_s": BATCH / statistics.median(each) for name, each in times.items()}
    figures["product_ratio"] = statistics.median(
        b / a for a, b in zip(times["energy_and_forces"], times["with_one_product"], strict=True)
    )
    if "schnetpack" in times:
        figures["schnetpack_ratio"] = statistics.median(
            b / a for a, b in zip(times["energy_and_forces"], times["schnetpack"], strict=True)
        )
    print(json.dumps(times), file=sys.stderr, flush=True)
    return figures


def seconds_of_step(model: Painn, references: list[Reference], recipe: Recipe) -> float:
    """Return the median time of a step, the batches put together meanwhile as in any training."""
    sizes = np.full(BATCH, len(references[0].species))
    feed = Feed(lambda places: [references[k] for k in places], sizes, BATCH, 0, fused=model.fused)
    at: list[float] = []

    def ends(_: Course) -> bool:
        at.append(perf_counter())
        return len(at) == recipe.steps

    for _ in run(model, begin(model, recipe), feed, references[:1], recipe, ends=ends):
        pass
    return statistics.median(np.diff(at)[1:].tolist())


def start_peer(peer: str, folder: Path, size: Size, references: list[Reference]) -> subprocess.Popen:
    """Start SchNetPack in a process of its own and wait until it has made a step."""
    numbers = references[0].species.tolist()
    energies, gradients = [r.energy for r in references], np.concatenate([np.asarray(r.gradient) for r in references])
    frames = [r.positions.tolist() for r in references]
    given = (CUTOFF, size.features, size.blocks, size.radial, numbers, frames, energies, (-gradients).tolist())
    (folder / "given.json").write_text(json.dumps(given))
    (folder / "peer.py").write_text(PEER)
    process = subprocess.Popen(
        [peer, str(folder / "peer.py"), str(folder / "given.json"), str(os.cpu_count())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    while (line := process.stdout.readline()) and "ready" not in line:
        pass
    return process


def peer_time(process: subprocess.Popen) -> float:
    """Return the mean time of a step of SchNetPack [s]."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{STEPS // 2}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


if __name__ == "__main__":
    main()
