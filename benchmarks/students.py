"""How good students are: a molecule labelled by GFN2-xTB, distilled with and without Hessian products, and validated.

Run as `python benchmarks/students.py FOLDER [--molecule NAME …] [--structures N] [--minutes N] [--product W …]`; one
JSON object on stdout, progress on stderr. For each molecule structures of harmonic ensembles, dynamics and turns, with
`--stretches` also of stretched bonds, are labelled with two Hessian products each; a PaiNN is trained for so many
minutes with each weight of the products (0: on energies and forces alone), a classical force field is fitted, and all
are validated on the same held-out structures, with dynamics of `--picoseconds`. What FOLDER holds already is not made
again.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from forgefield.engines.native.processor import machine
from forgefield.io.molecules import read_structures
from forgefield.io.structures.drawn import conformers

MOLECULES = {"ethanol": "CCO", "ac-ala-nhme": "CC(=O)NC(C)C(=O)NC", "aspirin": "CC(=O)Oc1ccccc1C(=O)O"}
CONFORMERS = 3
"""At most."""
LABEL = """
[teacher]
method = "gfn2"

[[structures]]
files = "smiles:{smiles}"
conformers = {{ number = {conformers} }}
relaxed = true
modes = {{ number = {modes}, temperature = 500 }}
dynamics = {{ number = {dynamics}, temperature = 500, every = 20 }}
turns = {{ points = 12 }}
{stretches}

[label]
directions = 2
"""
STRETCHES = """
[[structures]]
files = "smiles:{smiles}"
as_given = false
stretches = {{ points = {points}, shortest = 0.72, longest = 1.35 }}
"""
NEURAL = """
[data]
file = "../label.h5"

[student]
size = "{size}"

[training]
minutes = {minutes}
batch = {batch}
loss = {{ energy = {energy}, force = 1.0, product = {product} }}
"""
CLASSICAL = """
[data]
file = "../label.h5"

[student]
kind = "mm3"
"""


def main() -> None:
    """Make and judge students, and print what comes of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--molecule", nargs="+", default=[*MOLECULES], choices=[*MOLECULES])
    parser.add_argument("--structures", type=int, default=2000)
    parser.add_argument("--stretches", type=int, default=0, help="lengths of each bond, from 0.72 to 1.35 of its own")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--size", default="small")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--energy", type=float, default=20.0, help="weight of energies")
    parser.add_argument("--product", nargs="+", type=float, default=[0.0, 0.001], help="weights of Hessian products")
    parser.add_argument("--picoseconds", type=float, default=100.0)
    options = parser.parse_args()
    figures: dict[str, Any] = machine() | {"load_average_start": os.getloadavg()[0]}
    for name in options.molecule:
        figures[name] = of_molecule(options.folder / name, MOLECULES[name], options)
    figures["load_average_end"] = os.getloadavg()[0]
    print(json.dumps(figures, indent=1))


def of_molecule(folder: Path, smiles: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of all students of a molecule."""
    folder.mkdir(parents=True, exist_ok=True)
    [molecule] = read_structures(Path(f"smiles:{smiles}"))
    n_conformers = len(conformers(molecule, CONFORMERS, seed=0, apart=0.5))
    # Numbers are of each conformer. Turns, stretches and the minima themselves come to a fifth at most.
    each = options.structures // n_conformers
    stretches = STRETCHES.format(smiles=smiles, points=options.stretches) if options.stretches else ""
    label = LABEL.format(
        smiles=smiles, conformers=CONFORMERS, modes=each // 2, dynamics=each * 3 // 10, stretches=stretches
    )
    # What is labelled already is found there, also of a run that was stopped half-way.
    figures: dict[str, Any] = {"label_s": made(folder / "label.toml", label, ["label"], folder / "label.done")}
    (folder / "label.done").touch()
    students = {
        f"painn-{product:g}": NEURAL.format(
            size=options.size, minutes=options.minutes, batch=options.batch, energy=options.energy, product=product
        )
        for product in options.product
    }
    for student, text in (students | {"classical": CLASSICAL}).items():
        place = folder / student
        place.mkdir(exist_ok=True)
        run = place / "run"
        seconds = made(place / "distil.toml", text, ["distil", "-o", str(run)], run / "results.json")
        judged = place / "validation"
        length = ["--md", str(options.picoseconds)]
        made(run, None, ["validate", str(folder / "label.h5"), "--split", "default:test", "-o", str(judged), *length],
             judged / "results.json")  # fmt: skip
        found = json.loads((judged / "results.json").read_text())
        figures[student] = {"distil_s": seconds, "validation": found}
    return figures


def made(given: Path, text: str | None, words: list[str], result: Path) -> float | None:
    """Run a command on a file, written first, unless its result is there; return its seconds."""
    if result.is_file():
        return None
    if text is not None:
        given.write_text(text)
    start = perf_counter()
    command = [sys.executable, "-m", "forgefield", words[0], str(given), *words[1:]]
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    # A student that is not accepted, or whose rows are unphysical, has its results.
    if done.returncode not in {0, 1}:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    return perf_counter() - start


if __name__ == "__main__":
    main()
