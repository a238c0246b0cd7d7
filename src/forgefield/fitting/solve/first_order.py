"""Descent along gradients by the rules of optax, all starts at once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from forgefield.compiled import compiled_quickly
from forgefield.fitting.cost.cost import Problem, Quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.solve.evaluation import Relaxed
from forgefield.fitting.solve.judgement import judged
from forgefield.fitting.solve.objective import Needs
from forgefield.fitting.solve.solver import AbstractSolver, AbstractState, Course, Tried, more_steps

_TINY = 1e-30
_STILL = 1e-9
"""A start whose variables all move less than this, in prior widths, has ended."""
_LENGTH = 1.0
"""Longest gradient that a step of plain descent follows, in costs of the start for one prior width."""
_Transformation = Any
"""optax.GradientTransformationExtraArgs. To import it takes a tenth as long as all else of a fit, and few need it."""


@dataclass(frozen=True)
class Rule:
    """What makes steps of gradients."""

    name: str
    """In messages."""
    of_steps: Callable[[int], _Transformation]
    """For so many steps; gradients are of costs in units of that where a start begins, by variables in prior widths."""


def _calming(rule: _Transformation) -> _Transformation:
    """Return a rule whose steps are halved where the cost has stopped falling."""
    from optax import chain, contrib  # noqa: PLC0415 (slow to load)

    return chain(rule, contrib.reduce_on_plateau(factor=0.5, patience=20, rtol=1e-4))


def _adam(_: int) -> _Transformation:
    from optax import adam  # noqa: PLC0415

    return _calming(adam(0.05))


def _adam_cosine(n_steps: int) -> _Transformation:
    from optax import adam, chain, cosine_decay_schedule  # noqa: PLC0415

    return chain(adam(cosine_decay_schedule(0.1, n_steps)))


def _adagrad(_: int) -> _Transformation:
    from optax import adagrad  # noqa: PLC0415

    return _calming(adagrad(0.3))


def _sgd(_: int) -> _Transformation:
    from optax import chain, clip_by_global_norm, sgd  # noqa: PLC0415

    return _calming(chain(clip_by_global_norm(_LENGTH), sgd(0.1, momentum=0.9, nesterov=True)))


RULES = {
    "adam": Rule("Adam", _adam),
    "adam-cosine": Rule("Adam with a cosine", _adam_cosine),
    "adagrad": Rule("Adagrad", _adagrad),
    "sgd": Rule("gradient descent", _sgd),
}
"""By the names that settings use."""


class Descending(AbstractState):
    """Where each start is and what its rule remembers."""

    at: Float[Array | np.ndarray, "starts free"]
    cost: Float[np.ndarray, " starts"]
    """There; infinite before it is known."""
    gradient: Float[np.ndarray, "starts free"]
    unit: Float[np.ndarray, " starts"]
    """The cost where each start began."""
    memory: PyTree[Array | np.ndarray]
    """The rule's own, of each start."""
    n_accepted: Int[Array | np.ndarray, " starts"]
    n_steps: Int[np.ndarray, ""]
    ended: Bool[np.ndarray, " starts"]

    @property
    def done(self) -> Bool[np.ndarray, " starts"]:
        """Which starts have ended."""
        return self.ended


class GradientDescent(AbstractSolver):
    """Steps of a rule from all starts at once, put back into the bounds."""

    rule: Rule = eqx.field(static=True)
    tolerance: float = 1e-9
    max_steps: int = 2000

    @property
    def needs(self) -> Needs:
        """Gradients."""
        return Needs.GRADIENT

    def begin(self, problem: Problem, points: Float[np.ndarray, "starts free"]) -> Descending:
        """Return the state before anything has been evaluated."""
        n = len(points)
        at = np.clip(np.asarray(points), *problem.bounds)
        return Descending(
            at=at,
            cost=np.full(n, np.inf),
            gradient=np.zeros_like(at),
            unit=np.ones(n),
            memory=jax.tree.map(np.asarray, _memory(self.rule, self.max_steps, at)),
            n_accepted=np.full(n, -1),
            n_steps=np.array(0),
            ended=np.zeros(n, dtype=bool),
        )

    def run(self, course: Course) -> None:
        """Take steps from all starts."""
        state = course.progress.state
        assert isinstance(state, Descending)
        if np.isinf(state.cost).all():
            cost, gradient = course.objective.costs_and_gradients(np.asarray(state.at))
            lost = ~np.isfinite(cost)
            unit = np.where(lost, 1.0, np.maximum(cost, _TINY))
            state = replace(
                state, cost=cost, gradient=gradient, unit=unit, n_accepted=np.where(lost, -1, 0), ended=lost
            )
            course.note(state, Tried(np.arange(len(cost)), ~lost, cost, None))
        while state.n_steps < self.max_steps and not state.ended.all():
            state = self._step(course, state)

    def _step(self, course: Course, state: Descending) -> Descending:
        """Take a step from each start that has not ended, and note where it leads."""
        lower, upper = map(np.asarray, course.objective.bounds)
        gradient, cost = state.gradient / state.unit[:, None], state.cost / state.unit
        # What presses a variable against its bound says nothing of the way to go.
        pressed = ((state.at <= lower) & (gradient > 0.0)) | ((state.at >= upper) & (gradient < 0.0))
        given = np.where(pressed, 0.0, np.nan_to_num(gradient)), np.nan_to_num(cost)
        moves, memory = _moves(self.rule, self.max_steps, np.nan_to_num(state.at), *given, state.memory)
        there = np.clip(state.at + np.asarray(moves), lower, upper)
        there = np.where(state.ended[:, None], state.at, there)
        found, slopes = course.objective.costs_and_gradients(there)
        moved = ~state.ended & np.isfinite(found)
        still = np.abs(there - state.at).max(axis=1, initial=0.0) < _STILL
        new = replace(
            state,
            at=np.where(moved[:, None], there, state.at),
            cost=np.where(moved, found, state.cost),
            gradient=np.where(moved[:, None], slopes, state.gradient),
            memory=jax.tree.map(np.asarray, memory),
            n_accepted=state.n_accepted + moved,
            n_steps=np.asarray(state.n_steps + 1),
            ended=state.ended | still | ~np.isfinite(found),
        )
        tried = np.flatnonzero(~state.ended)
        course.note(new, Tried(tried, moved[tried], found[tried], None))
        return new

    def judge(
        self, problem: Problem, form: Gram | None, at: Float[np.ndarray, "starts free"], positions: Relaxed
    ) -> tuple[Quadratic, Bool[np.ndarray, " starts"]]:
        """Return what a Newton step promises at these points."""
        return judged(problem, form, at, positions, self.tolerance)

    def why_not(self, state: AbstractState, start: int) -> str:
        """Return why a start has not converged."""
        if state.done[start]:
            return f"the steps of {self.rule.name} have become too small to matter"
        return f"{self.max_steps} steps of {self.rule.name} were not enough: {more_steps(self.max_steps)}"


@compiled_quickly
def _memory(rule: Rule, max_steps: int, at) -> PyTree[Array]:
    """Return what a rule remembers before the first step from each point."""
    return jax.vmap(rule.of_steps(max_steps).init)(jnp.asarray(at))


@compiled_quickly
def _moves(rule: Rule, max_steps: int, at, gradient, cost, memory) -> tuple[Any, Any]:
    """Return the next step of each start, and what the rule remembers then."""
    transformation = rule.of_steps(max_steps)

    def of_one(at, gradient, cost, memory):
        return transformation.update(gradient, memory, at, value=cost)

    # optax raises decay rates to whole powers.
    with jax.numpy_dtype_promotion("standard"):
        return jax.vmap(of_one)(jnp.asarray(at), jnp.asarray(gradient), jnp.asarray(cost), memory)
