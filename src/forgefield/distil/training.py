"""Training of a neural student: one compiled step for each size of batch, resumed as if it had not ended."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PyTree

from forgefield.compiled import compiled_for_long
from forgefield.distil.batches import Batch, Feed
from forgefield.distil.deviations import Errors, deviations, require_labels
from forgefield.distil.losses import Losses, no_losses, scales, with_losses
from forgefield.distil.parallel import everywhere, losses_and_slope, shared_out
from forgefield.distil.recipe import Pace, Recipe
from forgefield.errors import InputError
from forgefield.models.neural.painn import Painn
from forgefield.molecules.molecule import Reference


class Course(eqx.Module):
    """Where training is: all that the steps to come depend on, and the best model so far."""

    step: Int[Array | np.ndarray, ""]
    weights: PyTree
    optimiser: PyTree
    mean: PyTree
    """Running mean of the weights."""
    best: PyTree
    """The mean at the look with the lowest merit."""
    merit: Float[Array | np.ndarray, ""]
    """The lowest loss on the validation set."""
    at: Int[Array | np.ndarray, ""]
    """The step of that look."""
    seen: Losses
    """Sums of the losses since the last look."""
    since: Int[Array | np.ndarray, ""]
    """Steps since then."""
    running: Losses
    """Running means of the losses, by which they are balanced."""


class Look(NamedTuple):
    """What is known after some steps."""

    course: Course
    errors: Errors
    """Of the mean of the weights, on the validation set."""
    losses: Losses
    """Means since the last look."""
    better: bool
    """Whether it is the best so far."""
    merit: float
    """Loss on the validation set."""


class Trained(NamedTuple):
    """The model of the look that did best on the validation set."""

    model: Painn
    errors: Errors
    """Of the validation set."""
    step: int
    """At which the model was taken."""


def train(
    model: Painn,
    training: Sequence[Reference],
    validation: Sequence[Reference],
    recipe: Recipe,
    *,
    tell: Callable[[Look], None] = lambda _: None,
) -> Trained:
    """Return the model trained on references, the energies of its elements fitted first and then left alone.

    Raises InputError where references lack energies or gradients, and where training diverges.
    """
    for references in (training, validation):
        require_labels(model, references)
    energies = np.array([r.energy for r in training], dtype=np.float64)
    model = with_reference_energies(model, [r.species for r in training], energies)
    sizes = np.array([len(r.species) for r in training])
    cutoff = model.design.basis.cutoff
    feed = Feed(
        lambda places: [training[k] for k in places],
        sizes,
        recipe.batch,
        recipe.seed,
        cutoff=cutoff,
        fused=model.fused,
    )
    course, found = begin(model, recipe), None
    for look in run(model, course, feed, validation, recipe):
        tell(look)
        if look.better:
            found = Trained(trained(model, look.course), look.errors, int(look.course.at))
    assert found is not None
    return found


def begin(model: Painn, recipe: Recipe) -> Course:
    """Return a course before its first step."""
    weights, _ = eqx.partition(model, _trained(model))
    nothing, first = jnp.zeros(()), jnp.zeros((), jnp.int32)
    return Course(
        step=first,
        weights=weights,
        optimiser=recipe.optimisation().init(weights),
        mean=weights,
        best=weights,
        merit=jnp.asarray(np.inf),
        at=first,
        seen=no_losses(nothing),
        since=first,
        running=no_losses(nothing),
    )


def run(
    model: Painn,
    course: Course,
    feed: Callable[[int], Batch],
    validation: Sequence[Reference],
    recipe: Recipe,
    *,
    ends: Callable[[Course], bool] = lambda _: False,
) -> Iterator[Look]:
    """Go on with a course and yield what is known every `check_every` steps, and at the end.

    Each step lowers the loss of one batch in parts, which `feed` returns for its number. `ends` is asked after each
    step whether it was the last one. Raises InputError where training diverges.
    """
    _, fixed = eqx.partition(model, _trained(model))
    pace, program = recipe.pace, recipe.program
    course, fixed = everywhere((course, fixed))
    k, since = int(course.step), int(course.since)
    batch = shared_out(feed(k)) if k < recipe.steps else None
    while True:
        if since and (since >= recipe.check_every or batch is None):
            look = _look(course, fixed, validation, recipe)
            course, since = everywhere(look.course), 0
            yield look
        ended = recipe.patience and not since and k - int(course.at) >= recipe.patience * recipe.check_every
        if batch is None or ended:
            return
        before, course = course, _step(course, batch, fixed, pace, program)
        k, since = k + 1, since + 1
        # The next batch is put together, and the next step begun, while this one is computed.
        batch = shared_out(feed(k)) if k < recipe.steps else None
        jax.block_until_ready(before.step)
        if ends(course):
            batch = None


def _look(course: Course, fixed: PyTree, validation: Sequence[Reference], recipe: Recipe) -> Look:
    # On one device: those that share in a step would each do all of it.
    mean, fixed = jax.tree.map(np.asarray, (course.mean, fixed))
    found = deviations(eqx.combine(mean, fixed), validation)
    merit = found.merit(recipe.weights)
    if not np.isfinite(merit):
        raise InputError("training diverged: the errors of the model are not finite; lower the learning rate")
    means = Losses(*(total / int(course.since) for total in course.seen))
    better = merit < float(course.merit)
    return Look(_looked(course, merit, better=better), found.errors, means, better, merit)


def trained(model: Painn, course: Course) -> Painn:
    """Return the model of the best look."""
    _, fixed = eqx.partition(model, _trained(model))
    # On one device, whatever shared in the training.
    best = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), course.best)
    return replace(eqx.combine(best, fixed), fused=False)


def with_reference_energies(
    model: Painn,
    species: Sequence[Int[np.ndarray, " _"]],
    energies: Float[np.ndarray, " structures"],
) -> Painn:
    """Return the model with the energies of its elements that add up best to those of structures [kcal/mol]."""
    found = reference_energies(model.design.elements, species, energies)
    return eqx.tree_at(lambda m: m.references, model, found)


def reference_energies(
    elements: tuple[int, ...],
    species: Sequence[Int[np.ndarray, " _"]],
    energies: Float[np.ndarray, " structures"],
) -> Float[np.ndarray, " elements"]:
    """Return the energies of elements [kcal/mol] that add up best to those of structures.

    Least squares of the smallest norm: one composition alone leaves its sharing out among the elements open.
    """
    counts = np.array([[np.sum(atoms == z) for z in elements] for atoms in species], dtype=np.float64)
    return np.linalg.lstsq(counts, np.asarray(energies, np.float64), rcond=None)[0]


def _trained(model: Painn) -> PyTree:
    """Return which leaves of a model are trained: all but the reference energies."""
    return eqx.tree_at(lambda m: m.references, jax.tree.map(lambda _: True, model), False)


def _looked(course: Course, merit: float, *, better: bool) -> Course:
    """Return a course after a look, which keeps the mean of the weights where it is the best so far."""
    nothing, first = jnp.zeros_like(course.seen.energy), jnp.zeros_like(course.since)
    if better:
        course = eqx.tree_at(
            lambda c: (c.best, c.merit, c.at), course, (course.mean, jnp.asarray(merit), jnp.asarray(course.step))
        )
    return eqx.tree_at(lambda c: (c.seen, c.since), course, (no_losses(nothing), first))


@compiled_for_long
def _step(course: Course, batch: Batch, fixed: PyTree, pace: Pace, recipe: Recipe) -> Course:
    """Return the course after one more step, on a batch in parts."""
    sizes = scales(course.running, recipe.weights)
    found, slope = losses_and_slope(course.weights, fixed, batch, recipe, sizes)
    # optax mixes the integers of its counters with floats.
    with jax.numpy_dtype_promotion("standard"):
        change, state = recipe.optimisation().update(slope, course.optimiser, course.weights)
        done = course.step + 1
        kept = jnp.minimum(pace.averaging, done / (done + 10.0))
        rate = pace.rate(jnp.asarray(course.step))
    change = jax.tree.map(lambda c: rate.astype(c.dtype) * c, change)
    weights = optax.apply_updates(course.weights, change)
    mean = jax.tree.map(lambda m, w: w + kept.astype(m.dtype) * (m - w), course.mean, weights)
    seen = jax.tree.map(lambda total, new: total + new.astype(total.dtype), course.seen, found)
    running = with_losses(course.running, found, jnp.asarray(course.step))
    return Course(done, weights, state, mean, course.best, course.merit, course.at, seen, course.since + 1, running)
