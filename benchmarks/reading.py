"""How long large and many files take to be read: outputs of 100 MB, a checkpoint of 500 atoms, a thousand small logs.

Run as `python benchmarks/reading.py`; one JSON object on stdout, with times in seconds of the processor.
FORGEFIELD_DATA names the folder of reference data, whose files are drawn out or repeated.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import numpy as np

from forgefield import units
from forgefield.engines.native.processor import machine
from forgefield.io.references import read_reference
from forgefield.molecules.molecule import Reference

DATA = Path(os.environ.get("FORGEFIELD_DATA", Path(__file__).parents[2] / "shared" / "data"))
SIZE = 100_000_000
"""Bytes"""
N_ATOMS, N_LOGS = 500, 1000


def drawn_out(path: Path, source: str, begin: str, end: str) -> Path:
    """Write a file whose part from one mark to another is repeated until it has its size."""
    text = (DATA / source).read_text()
    start = text.index(begin)
    piece = text[start : text.index(end, start + len(begin))]
    path.write_text(text[:start] + piece * (SIZE // len(piece)) + text[start:])
    return path


def array(head: str, values: Sequence[float] | np.ndarray, letter: str = "R") -> str:
    """Return an array of a formatted checkpoint."""
    form = "{:16.8E}" if letter == "R" else "{:12d}"
    width = 5 if letter == "R" else 6
    rows = ("".join(form.format(x) for x in values[i : i + width]) for i in range(0, len(values), width))
    return f"{head:<40}   {letter}   N={len(values):12d}\n" + "\n".join(rows) + "\n"


def checkpoint(path: Path) -> Path:
    """Write the checkpoint of a lattice of carbon atoms with springs between neighbours."""
    source = np.random.default_rng(0)
    side = int(np.ceil(N_ATOMS ** (1 / 3)))
    grid = np.stack(np.meshgrid(*3 * [np.arange(side)], indexing="ij"), axis=-1).reshape(-1, 3)[:N_ATOMS]
    positions = (1.5 * grid + source.normal(scale=0.05, size=grid.shape)) / units.BOHR
    hessian = np.zeros((N_ATOMS, 3, N_ATOMS, 3))
    apart = np.linalg.norm(positions[:, None] - positions, axis=-1)
    for i, j in zip(*np.nonzero((apart > 0) & (apart < 2.0 / units.BOHR)), strict=True):
        unit = (positions[i] - positions[j]) / apart[i, j]
        hessian[i, :, i] += 0.3 * np.outer(unit, unit)
        hessian[i, :, j] -= 0.3 * np.outer(unit, unit)
    n = 3 * N_ATOMS
    triangle = hessian.reshape(n, n)[np.tril_indices(n)]
    path.write_text(
        f"lattice\nFreq      RB3LYP                        6-31G(d)\n{'Charge':<40}   I     {0:12d}\n"
        f"{'Multiplicity':<40}   I     {1:12d}\n"
        + array("Atomic numbers", [6] * N_ATOMS, "I")
        + array("Current cartesian coordinates", positions.reshape(-1))
        + f"{'Total Energy':<40}   R     {-38.0 * N_ATOMS:22.15E}\n"
        + array("Cartesian Gradient", np.zeros(n))
        + array("Cartesian Force Constants", triangle)
    )
    return path


def timed(paths: Sequence[Path]) -> tuple[float, list[Reference]]:
    """Return the time of reading files one by one, and what they hold."""
    start = process_time()
    found = [reference for path in paths for reference in read_reference([path])]
    return process_time() - start, found


def main() -> None:
    """Write the files, read them, and print the times."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        gaussian = drawn_out(root / "gaussian.log", "cases/qmfiles/forces-opt.out", "Input orientation:", "\n 1\\1\\")
        orca = drawn_out(
            root / "orca.out", "public-qm/orca5-dvb_ir.out", "CARTESIAN COORDINATES (ANGSTROEM)", "****ORCA TERM"
        )
        small = [root / f"{k}.log" for k in range(N_LOGS)]
        for path in small:
            shutil.copyfile(DATA / "cases" / "qmfiles" / "near-linear.log", path)
        jobs = {
            "gaussian_100_mb_s": [gaussian],
            "orca_100_mb_s": [orca],
            "fchk_500_atoms_s": [checkpoint(root / "lattice.fchk")],
            "small_logs_1000_s": small,
        }
        # What is imported and compiled by the first file is not counted.
        timed(small[:1])
        times = {name: round(timed(paths)[0], 2) for name, paths in jobs.items()}
        sizes = {"gaussian_mb": gaussian.stat().st_size / 1e6, "orca_mb": orca.stat().st_size / 1e6}
        print(json.dumps({"machine": machine(), **times, **{name: round(size, 1) for name, size in sizes.items()}}))


if __name__ == "__main__":
    main()
