"""Trains the tiny PaiNN of this folder on train.extxyz and tests it on test.extxyz: `python train.py`, a minute."""

from pathlib import Path

import jax
import jax.random as jr

from forgefield.distil.deviations import Errors, deviations
from forgefield.distil.recipe import Recipe
from forgefield.distil.training import train
from forgefield.io.forcefields.neural.painn_file import write_painn
from forgefield.io.references import read_files
from forgefield.models.neural.painn import SIZES, Design, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.units import ELECTRONVOLT

FOLDER = Path(__file__).parent
RECIPE = Recipe(steps=6000, batch=16, learning_rate=4e-3)


def said(found: Errors) -> str:
    """Return errors in meV and meV/Å."""
    in_mev = ELECTRONVOLT / 1000.0
    return f"energy MAE {found.energy_mae / in_mev:.1f} meV, force MAE {found.force_mae / in_mev:.1f} meV/Å"


def main() -> None:
    """Train, test, write."""
    jax.config.update("jax_enable_x64", True)
    frames, test = read_files([FOLDER / "train.extxyz"]), read_files([FOLDER / "test.extxyz"])
    validation, training = frames[::10], [frame for k, frame in enumerate(frames) if k % 10]
    size = SIZES["tiny"]
    design = Design((1, 6, 8), SineBasis(size.radial, 5.0), QuinticEnvelope(), ELECTRONVOLT)
    untrained = painn(jr.key(0), design, size)
    trained = train(
        untrained,
        training,
        validation,
        RECIPE,
        tell=lambda look: print(look.course.step, said(look.errors), flush=True),
    )
    found = deviations(trained.model, test).errors
    print("test:", said(found))
    origin = {
        "level": "GFN2-xTB",
        "data": f"{len(training)} frames of Langevin dynamics of ethanol at 300, 600 and 900 K",
        "test_force_mae_mev_a": round(found.force_mae / ELECTRONVOLT * 1000.0, 2),
        "test_energy_mae_mev": round(found.energy_mae / ELECTRONVOLT * 1000.0, 2),
    }
    write_painn(FOLDER / "ethanol.safetensors", trained.model, origin=origin)


if __name__ == "__main__":
    main()
