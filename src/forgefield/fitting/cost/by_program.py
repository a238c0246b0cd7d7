"""The cost of a fit from what another program says of the molecules, without its derivatives by the parameters."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.compiled import compiled_quickly
from forgefield.fitting.cost.cost import Problem, Sights, shares_of_cost
from forgefield.fitting.data.chunks import without_interactions
from forgefield.fitting.data.ladder import grown
from forgefield.fitting.data.observation import observation_of
from forgefield.fitting.data.training_set import FloatArray, TrainingSet
from forgefield.fitting.targets.relaxed_view import (
    flat_residuals,
    laid_on_reference,
    lost_residuals,
    relaxed_by,
    seen_relaxed,
)
from forgefield.fitting.targets.target import AbstractTarget, Seen, View, at_reference, resized
from forgefield.models.expansions import Evaluated, with_charges
from forgefield.properties.relax import State, Task, relaxed

Positions = Float[np.ndarray, "atoms 3"]


@runtime_checkable
class Program(Protocol):
    """Evaluates a force field over all molecules of a training set."""

    def __call__(self, values: Float[np.ndarray, " parameters"], positions: Positions, *, curved: bool) -> Evaluated:
        """Return energies, gradients and, where they are wanted, Hessians with these values at positions [Å]."""
        ...


class _Relaxed(NamedTuple):
    """The molecules at the end of a search."""

    seen: Seen
    flat: Float[Array, ""]
    """What curvatures near zero cost."""


class CostByProgram:
    """The cost as a function of scaled variables (q - q₀)/width, for a program that evaluates the force field."""

    def __init__(self, problem: Problem, data: TrainingSet, program: Program) -> None:
        """Take what does not change: `data` is the whole training set that the problem is about."""
        self._problem, self._data, self._program = problem, data, program
        self._references = without_interactions(data)

    def __call__(self, scaled: Float[np.ndarray, " free"]) -> float:
        """Return the cost, not a number where the program finds no finite ones.

        Relaxed structures are looked for from the references.
        """
        problem, data = self._problem, self._data
        free = np.asarray(problem.prior.centre) + np.asarray(problem.prior.width) * scaled
        values = problem.variables.values(np.asarray(problem.model.values), free)
        charges = with_charges(values, data.topology)[len(values) :]

        def observed(positions: Positions, data: TrainingSet) -> Seen:
            found = self._program(values, positions, curved=_is_curved(problem.targets))
            return at_reference(observation_of(found, charges, data), data)

        sights = Sights(observed(np.asarray(data.positions), data))
        lost = 0.0
        if problem.relaxes:
            seen, lost = _relaxed(problem, data, lambda x, curved: self._program(values, x, curved=curved))
            if any(target.traits.observes for target, _ in problem.looking(View.RELAXED)):
                seen = _observed(data, seen, observed)
            sights = sights._replace(relaxed=seen)
        shares = shares_of_cost(problem.targets, problem.counts, self._references, sights)
        total = sum(shares) + lost + 0.5 * problem.prior.strength * float(np.mean(scaled**2))
        return total if np.isfinite(total) else np.nan


def _is_curved(targets: tuple[AbstractTarget, ...]) -> bool:
    """Whether any target looks at Hessians."""
    return any(target.traits.observes and target.traits.is_curved for target in targets)


def _relaxed(
    problem: Problem, data: TrainingSet, evaluate: Callable[[Positions, bool], Evaluated]
) -> tuple[Seen, float]:
    """Return relaxed structures, and what lost and flat ones cost."""
    references, task, state = relaxed_by(lambda positions: evaluate(positions, True), data)
    looking = problem.looking(View.RELAXED)
    share = sum(np.asarray(t.counted(data) * t.weight / n).sum(axis=1) for t, n in looking)
    ended = _ended(references, task, state, grown(share, references.topology.n_molecules))
    seen = resized(ended.seen, data)
    gradient = evaluate(np.asarray(seen.positions), False).gradient
    lost, _, _ = lost_residuals(data, seen, jnp.asarray(share), jnp.asarray(gradient))
    return seen, float(ended.flat) + 0.5 * float(jnp.sum(lost**2))


@compiled_quickly
def _ended(data: TrainingSet, task: Task, state: State, share: Float[FloatArray, " molecules"]) -> _Relaxed:
    end = relaxed(task, state)
    seen = seen_relaxed(data, end)
    residuals, _, _ = flat_residuals(data, (seen, end), jnp.asarray(share))
    return _Relaxed(seen, 0.5 * jnp.sum(residuals**2))


def _observed(data: TrainingSet, seen: Seen, observed: Callable[[Positions, TrainingSet], Seen]) -> Seen:
    """Return relaxed structures, superposed on those of the reference, as the program sees them."""
    laid = _laid(data, seen)
    positions = np.asarray(laid.positions)
    found = observed(positions, replace(data, positions=positions, modes=np.asarray(laid.vibrations))).observed
    modes = np.asarray(data.modes)
    eigenmatrix = np.swapaxes(modes, 1, 2) @ np.asarray(found.hessian) @ modes
    return replace(laid, observation=replace(found, eigenmatrix=jax.device_put(eigenmatrix)))


@compiled_quickly
def _laid(data: TrainingSet, seen: Seen) -> Seen:
    nothing = jnp.zeros((data.topology.n_molecules, 0, 3 * data.topology.n_max))
    return laid_on_reference(data, seen, nothing)[0]
