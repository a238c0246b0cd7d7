"""AM1-BCC charges by `antechamber` of AmberTools, where it is installed."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from jaxtyping import Float

from forgefield.errors import InputError
from forgefield.io.structures.mol2 import read_mol2, write_mol2
from forgefield.molecules.molecule import Molecule

_LONGEST = 3600
"""Seconds."""


def am1bcc_charges(molecule: Molecule) -> Float[np.ndarray, " atoms"]:
    """Return AM1-BCC charges [e] of a molecule in its geometry. Raises InputError where they cannot be had."""
    name = molecule.source or molecule.name
    program = shutil.which("antechamber") or shutil.which("antechamber", path=str(Path(sys.prefix) / "bin"))
    if program is None:
        raise InputError(
            f"{name}: states no charges, and the force field wants AM1-BCC, for which antechamber of AmberTools is not "
            "installed; give a structure with charges (.mol2; .sdf with atom.dprop.PartialCharge)"
        )
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.mol2", Path(folder) / "out.mol2"
        types = tuple(molecule.symbols)
        write_mol2(source, replace(molecule, name="MOL"), types, np.zeros(molecule.n_atoms))
        options = ["-i", source.name, "-fi", "mol2", "-o", target.name, "-fo", "mol2", "-c", "bcc", "-at", "sybyl"]
        options += ["-nc", str(molecule.charge), "-m", str(molecule.multiplicity), "-pf", "y", "-dr", "n"]
        try:
            done = subprocess.run(
                [program, *options], cwd=folder, capture_output=True, text=True, timeout=_LONGEST, check=False
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"{name}: antechamber did not end within {_LONGEST} s; give charges") from None
        if done.returncode != 0 or not target.is_file():
            said = " ".join((done.stdout + done.stderr).split())[-300:]
            raise InputError(f"{name}: antechamber found no AM1-BCC charges: {said}")
        charges = read_mol2(target)[0].charges
    if charges is None or len(charges) != molecule.n_atoms:
        raise InputError(f"{name}: antechamber changed the atoms; give a structure with charges")
    return charges
