"""PaiNN (128 features, 3 blocks, 20 radial functions, 5 Å): energy and forces of drug-like molecules.

Run as `python benchmarks/painn.py [--peer PYTHON]`; one JSON object on stdout, progress on stderr. PYTHON is an
interpreter that has schnetpack 2.1.1 and torch 2.13.0: its PaiNN is then timed in turn with ours, alternating, so that
both see the same load. On a GPU the batches of 1 to 256 molecules and replicas in a compiled loop are timed instead.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from forgefield.engines.native.choice import fastest, way_of
from forgefield.engines.native.library import PAINN, NativeError, loaded, vector_bits_of
from forgefield.engines.native.painn import native
from forgefield.engines.native.processor import machine
from forgefield.models.model import AbstractModel
from forgefield.models.neural.painn import SIZES, Design, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.padding import padded_union
from forgefield.molecules.topology import union
from forgefield.properties.many import energies_and_gradient, many
from forgefield.units import ELECTRONVOLT

SMILES = {
    "benzene": "c1ccccc1",
    "paracetamol": "CC(=O)Nc1ccc(O)cc1",
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
}
MIXED = [name for name in SMILES for _ in range(4)]
REPEATS = 7
CALLS = 30
"""Calls whose mean is one repeat."""
BATCHES = (1, 2, 4, 8, 16, 64, 256)
REPLICAS = (1, 16, 256)
PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import torch, schnetpack as spk, schnetpack.nn as snn
from schnetpack.atomistic import Atomwise, Forces, PairwiseDistances
from schnetpack.interfaces import AtomsConverter
from schnetpack.transform import ASENeighborList
from ase import Atoms
torch.set_num_threads(2)
model = spk.model.NeuralNetworkPotential(
    spk.representation.PaiNN(128, 3, snn.GaussianRBF(20, 5.0), cutoff_fn=snn.CosineCutoff(5.0)),
    input_modules=[PairwiseDistances()],
    output_modules=[Atomwise(n_in=128, output_key="energy"), Forces(energy_key="energy")]).eval()
convert = AtomsConverter(neighbor_list=ASENeighborList(cutoff=5.0), dtype=torch.float32)
def inputs(molecules):
    return convert([Atoms(numbers=n, positions=x) for n, x in molecules])
def ms(batch, calls):
    start = time.perf_counter()
    for _ in range(calls):
        model(dict(batch))
    return (time.perf_counter() - start) / calls * 1e3
sets = json.load(open(sys.argv[1]))
batches = {name: inputs(molecules) for name, molecules in sets.items()}
for batch in batches.values():
    ms(batch, 5)
print("ready", flush=True)
for line in sys.stdin:
    name, calls = line.split()
    print(ms(batches[name], int(calls)), flush=True)
"""

Figures = dict[str, Any]


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", help="Python that has schnetpack")
    parser.add_argument("--first", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    if options.first:
        print(json.dumps(first_result()))
        return
    figures: Figures = machine() | {"device": jax.devices()[0].device_kind, "load_average_start": os.getloadavg()[0]}
    if jax.default_backend() == "cpu":
        figures |= on_cpu(options.peer) | start_up()
    else:
        figures |= on_gpu()
    figures["load_average_end"] = os.getloadavg()[0]
    print(json.dumps(figures, indent=1))


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def molecules() -> dict[str, Molecule]:
    """The molecules in geometries of a force field."""
    made = {}
    for name, smiles in SMILES.items():
        mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
        rdDistGeom.EmbedMolecule(mol, randomSeed=7)
        rdForceFieldHelpers.MMFFOptimizeMolecule(mol)
        species = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])
        made[name] = Molecule(name, species, np.array(mol.GetConformer().GetPositions()))
    return made


def network() -> AbstractModel:
    """An untrained model of the size in the paper: what it computes takes as long as if it were trained."""
    size = SIZES["original"]
    design = Design((1, 6, 7, 8), SineBasis(size.radial, 5.0), QuinticEnvelope(), ELECTRONVOLT)
    return painn(jr.key(0), design, size)


def evaluation(model: AbstractModel, one: Molecule) -> Callable[[], object]:
    """Return what computes energy and gradient of one molecule, the positions coming from the host."""
    topology = union([one.species])

    def call():
        return jax.block_until_ready(energies_and_gradient(model, topology, jnp.asarray(one.positions)))

    return call


def milliseconds(call: Callable[[], object], calls: int = CALLS) -> float:
    start = perf_counter()
    for _ in range(calls):
        call()
    return (perf_counter() - start) / calls * 1e3


def medians(tasks: dict[str, Callable[[int], float]], calls: int = CALLS) -> Figures:
    """Return the median time of each task, all of them in turn in every repeat."""
    for task in tasks.values():
        task(3)
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(REPEATS):
        for name, task in tasks.items():
            times[name].append(task(calls))
    tell(json.dumps({name: f"{min(t):.2f} ... {max(t):.2f}" for name, t in times.items()}))
    return {name: statistics.median(t) for name, t in times.items()}


def on_cpu(peer: str | None) -> Figures:
    """Single molecules and the mixed batch: by XLA, by the kernel, by SchNetPack."""
    model, named = network(), molecules()
    mixed = [named[name] for name in MIXED]
    try:
        kernel: AbstractModel | None = native(model)  # pyright: ignore[reportArgumentType]
    except NativeError as error:
        tell(f"no kernel: {error}")
        kernel = None
    tasks: dict[str, Callable[[int], float]] = {}
    for label, each in (("xla", model), ("native", kernel)):
        if each is None:
            continue
        for name, one in named.items():
            call = evaluation(each, one)
            tasks[f"{name}_{label}_ms"] = lambda n, call=call: milliseconds(call, n)
    tasks["batch16_xla_ms"] = lambda n, m=model: milliseconds(lambda: many(m, mixed), max(n // 10, 1)) / len(mixed)
    if kernel is not None:
        whole = union([m.species for m in mixed])
        x = np.concatenate([m.positions for m in mixed])

        def batch():
            return jax.block_until_ready(energies_and_gradient(kernel, whole, jnp.asarray(x)))

        tasks["batch16_native_ms"] = lambda n: milliseconds(batch, max(n // 10, 1)) / len(mixed)
    with tempfile.TemporaryDirectory() as folder:
        process = start_peer(peer, Path(folder), named, mixed) if peer else None
        if process is not None:
            tasks["aspirin_schnetpack_ms"] = lambda n: peer_time(process, "aspirin", n)
            tasks["batch16_schnetpack_ms"] = lambda n: peer_time(process, "mixed", max(n // 10, 1)) / len(mixed)
        figures = medians(tasks)
        if process is not None:
            process.communicate()
    best = way_of(fastest(model))
    figures["aspirin_ms"], figures["batch16_ms"] = figures[f"aspirin_{best}_ms"], figures[f"batch16_{best}_ms"]
    figures["native_kept"] = best == "native"
    figures["kernel_vector_bits"] = vector_bits_of(loaded(PAINN)) if kernel is not None else None
    return figures


def start_peer(peer: str, folder: Path, named: dict[str, Molecule], mixed: list[Molecule]) -> subprocess.Popen:
    """Start SchNetPack in a process of its own and wait until it has computed everything once."""
    sets = {name: [(m.species.tolist(), m.positions.tolist())] for name, m in named.items()}
    sets["mixed"] = [(m.species.tolist(), m.positions.tolist()) for m in mixed]
    (folder / "sets.json").write_text(json.dumps(sets))
    (folder / "peer.py").write_text(PEER)
    process = subprocess.Popen(
        [peer, str(folder / "peer.py"), str(folder / "sets.json")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    while (line := process.stdout.readline()) and "ready" not in line:
        pass
    return process


def peer_time(process: subprocess.Popen, name: str, calls: int) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{name} {calls}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def start_up() -> Figures:
    """First results in fresh processes: without and with JAX's compile cache, and with the kernel."""
    with tempfile.TemporaryDirectory() as cache:
        facts = {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        runs = []
        for _ in range(1 + 5):
            done = subprocess.run(
                [sys.executable, __file__, "--first"],
                env=os.environ | facts,
                capture_output=True,
                text=True,
                check=True,
            )
            runs.append(json.loads(done.stdout))
    return {
        "compile_s": runs[0]["xla_first_s"],
        "cached_first_s": statistics.median(run["xla_first_s"] for run in runs[1:]),
        "native_first_s": statistics.median(run["native_first_s"] for run in runs[1:]),
    }


def first_result() -> Figures:
    """Time from a model and a molecule to the first energy and forces of aspirin, compiling on the way."""
    model, aspirin = network(), molecules()["aspirin"]
    figures = {}
    start = perf_counter()
    evaluation(model, aspirin)()
    figures["xla_first_s"] = perf_counter() - start
    start = perf_counter()
    try:
        evaluation(native(model), aspirin)()  # pyright: ignore[reportArgumentType]
        figures["native_first_s"] = perf_counter() - start
    except NativeError:
        figures["native_first_s"] = float("nan")
    return figures


def on_gpu() -> Figures:
    """Milliseconds per molecule in batches of a mixture, and steps of replicas in a compiled loop."""
    model, named = network(), molecules()
    figures: Figures = {}
    for n in BATCHES:
        chosen = [named[list(SMILES)[k % 4]] for k in range(n)] if n > 1 else [named["aspirin"]]
        n_atoms = sum(m.n_atoms for m in chosen)
        topology, x = padded_union(
            [m.species for m in chosen], [m.positions for m in chosen], n_atoms, max(m.n_atoms for m in chosen)
        )
        placed, held = jax.device_put(topology), jnp.asarray(x, jnp.float32)

        def call(placed=placed, held=held):
            return jax.block_until_ready(energies_and_gradient(model, placed, held))

        found = medians({"batch": lambda calls, call=call: milliseconds(call, calls)})
        figures[f"batch{n}_gpu_ms"] = found["batch"] / n
    return figures | replica_steps(model, named["paracetamol"])


def replica_steps(model: AbstractModel, one: Molecule) -> Figures:
    """Velocity Verlet steps per second, all replicas counted."""
    topology = union([one.species])
    figures: Figures = {}
    for replicas in REPLICAS:
        x = jnp.tile(jnp.asarray(one.positions, jnp.float32), (replicas, 1, 1))

        @eqx.filter_jit
        def loop(model, x):
            gradient = jax.vmap(lambda x: model.gradient(topology, x))

            def step(state, _):
                x, v, g = state
                v = v - 1e-4 * g
                x = x + 1e-3 * v
                g = gradient(x)
                return (x, v - 1e-4 * g, g), None

            return jax.lax.scan(step, (x, jnp.zeros_like(x), gradient(x)), length=100)[0][0]

        found = medians(
            {"loop": lambda calls, x=x, loop=loop: milliseconds(lambda: loop(model, x).block_until_ready(), calls)},
            calls=2,
        )
        figures[f"replicas{replicas}_gpu_steps_per_s"] = replicas * 100.0 / (found["loop"] / 1e3)
    return figures


if __name__ == "__main__":
    main()
