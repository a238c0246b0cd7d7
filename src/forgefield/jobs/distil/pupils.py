"""A pupil before its first step, and the number of steps for which there is time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from forgefield.distil.batches import Batch, Feed
from forgefield.distil.deviations import deviations
from forgefield.distil.recipe import Recipe
from forgefield.distil.training import Course, begin, run, with_reference_energies
from forgefield.errors import InputError
from forgefield.io.forcefields.neural.painn_file import read_painn
from forgefield.jobs.distil.labels import Data
from forgefield.jobs.distil.plan import DistilPlan, NewStudent, Pupil, TrainedStudent
from forgefield.models.model import require_known
from forgefield.models.neural.painn import Design, Painn, painn
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.units import ELECTRONVOLT

_TRIED = 12
"""Steps by which the speed is measured."""
_FILLED = 0.95
"""Share of the time that is planned for."""


def first_model(pupil: Pupil, data: Data, recipe: Recipe) -> Painn:
    """Return a student before its first step. Raises InputError where it does not know all elements."""
    molecules = [data.overview.molecules[k] for k in np.unique(data.overview.molecule)]
    match pupil.start:
        case TrainedStudent(file):
            model = read_painn(file)
            for molecule in molecules:
                require_known(model, molecule.species, f"{file}: {molecule.name}")
        case NewStudent() as new:
            model = _untrained(new, molecules, pupil.seed)
            energies = data.energies(data.training)
            known = data.overview.molecules
            model = with_reference_energies(model, [known[k].species for k in data.training.molecules], energies)
    return model.with_precision(jnp.float64 if recipe.precision == "f64" else jnp.float32)


def _untrained(new: NewStudent, molecules: Sequence[Molecule], seed: int) -> Painn:
    elements = np.unique(np.concatenate([molecule.species for molecule in molecules]))
    states = new.states
    if states is None:
        states = len({(molecule.charge, molecule.multiplicity) for molecule in molecules}) > 1
    design = Design(tuple(elements.tolist()), new.basis, new.envelope, ELECTRONVOLT, new.core_cutoff)
    return painn(jr.key(seed), design, new.size, states=states)


def require_losses(data: Data, recipe: Recipe, where: object) -> None:
    """Raise InputError where errors weigh of which the data set holds nothing."""
    weights, some = recipe.weights, data.training.fetch(range(min(len(data.training), 1000)))
    lacking = []
    if weights.product > 0.0 and not data.overview.n_directions[data.training.places].any():
        lacking.append("product: Hessian products; label with directions = 1 or more")
    if weights.atomic_energy > 0.0 and all(reference.atomic_energies is None for reference in some):
        lacking.append("atomic_energy: energies of atoms; this teacher does not divide its energy among them")
    if weights.stress > 0.0 and not data.overview.stressed[data.training.places].any():
        lacking.append("stress: stresses of periodic systems")
    if lacking:
        raise InputError(f"{where}: [training.loss] asks for what the data set does not hold: {'; '.join(lacking)}")


def resolved(plan: DistilPlan, model: Painn, feed: Feed, validation: Sequence[Reference]) -> Recipe:
    """Return the recipe with the steps that epochs, or minutes, come to, and those between looks."""
    recipe = plan.recipe
    if not plan.checks_stated:
        recipe = replace(recipe, check_every=int(np.clip(feed.steps_of_epoch, 100, 1000)))
    if plan.epochs is not None:
        recipe = replace(recipe, steps=max(1, round(plan.epochs * feed.steps_of_epoch)))
    elif plan.minutes is not None and not plan.steps_stated:
        recipe = replace(recipe, steps=_affordable(model, feed, validation, recipe, plan.minutes))
    return replace(recipe, check_every=min(recipe.check_every, recipe.steps))


def _affordable(
    model: Painn, feed: Callable[[int], Batch], validation: Sequence[Reference], recipe: Recipe, minutes: float
) -> int:
    """Return for how many steps, with their looks, there is time: some are tried, and thrown away."""
    began, times = perf_counter(), []

    def ends(_: Course) -> bool:
        times.append(perf_counter())
        return len(times) > _TRIED

    for _ in run(model, begin(model, recipe), feed, validation, replace(recipe, steps=10**6), ends=ends):
        pass
    looked = perf_counter()
    deviations(model, validation)
    of_a_look, of_a_step = perf_counter() - looked, float(np.median(np.diff(times)))
    left = 60.0 * minutes * _FILLED - (perf_counter() - began)
    return max(recipe.check_every, int(left / (of_a_step + of_a_look / recipe.check_every)))
