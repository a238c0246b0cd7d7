"""The cost of a fit and its quadratic model, from exact derivatives.

cost = ½ Σ_targets weight · mean of (deviation/tolerance)² + ½ strength · mean of ((q - q₀)/width)²
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from forgefield.fit.observation import Observation, observe
from forgefield.fit.targets import AbstractTarget, Frequencies, Matching
from forgefield.fit.training import FloatArray, TrainingSet
from forgefield.models.forcefield import ForceField
from forgefield.models.model import Selection


class Prior(eqx.Module):
    """A Gaussian about the starting values of the free variables; its widths also scale the solver's steps."""

    centre: Float[FloatArray, " free"]
    width: Float[FloatArray, " free"]
    strength: float


class Problem(eqx.Module):
    """Everything that a cost is made of, as a function of the free variables."""

    model: ForceField
    """Holds the values that do not change."""
    data: TrainingSet
    targets: tuple[AbstractTarget, ...]
    prior: Prior
    selection: Selection
    places: Int[Array | np.ndarray, " values"]
    matrix: Float[FloatArray, "values free"]
    offset: Float[FloatArray, " values"]
    lower: Float[FloatArray, " free"]
    upper: Float[FloatArray, " free"]

    def model_at(self, free: Float[FloatArray, " free"]) -> ForceField:
        """Return the model for these free variables."""
        values = self.model.values.at[self.places].set(self.matrix @ free + self.offset)
        return eqx.tree_at(lambda m: m.values, self.model, values)

    @property
    def uses_matching(self) -> bool:
        """Whether any target compares matched modes."""
        return any(isinstance(target, Frequencies) for target in self.targets)


class Quadratic(eqx.Module):
    """The cost at a point with its gradient and Gauss-Newton matrix in scaled variables (q - q₀)/width."""

    cost: Float[Array, ""]
    gradient: Float[Array, " free"]
    normal: Float[Array, "free free"]


class Linearised(eqx.Module):
    """Residuals r of which the cost is ½ Σ r², their Jacobian in scaled variables, and what was observed."""

    residuals: tuple[Float[Array, " _"], ...]
    """One vector for each target, then the prior's."""
    jacobians: tuple[Float[Array, "_ free"], ...]
    observation: Observation


def linearise(problem: Problem, scaled: Float[Array, " free"], matching: Matching) -> Linearised:
    """Return all residuals and their exact Jacobian at scaled variables (q - q₀)/width."""
    prior, data = problem.prior, problem.data
    model = problem.model_at(prior.centre + prior.width * scaled)
    seen = observe(model, data)
    sensitivities = model.sensitivities(data.topology, jnp.asarray(data.positions), problem.selection)
    to_free = problem.matrix * jnp.asarray(prior.width)[None, :]
    residuals, jacobians = [], []
    for target in problem.targets:
        scale = residual_scale(target, data)
        slopes = target.slopes(seen, sensitivities, data, matching) @ to_free
        residuals.append((target.deviations(seen, data, matching) * scale).reshape(-1))
        jacobians.append((slopes * scale[..., None]).reshape(-1, slopes.shape[-1]))
    root = jnp.sqrt(prior.strength / scaled.shape[0])
    residuals.append(root * scaled)
    jacobians.append(root * jnp.eye(scaled.shape[0]))
    return Linearised(tuple(residuals), tuple(jacobians), seen)


def quadratic(problem: Problem, scaled: Float[Array, " free"], matching: Matching) -> tuple[Quadratic, Observation]:
    """Return the cost with its gradient and Gauss-Newton matrix, and what was observed."""
    linear = linearise(problem, scaled, matching)
    return gauss_newton(linear), linear.observation


def gauss_newton(linear: Linearised) -> Quadratic:
    """Return the cost with its gradient and Gauss-Newton matrix from residuals and their Jacobian."""
    cost = 0.5 * sum(jnp.sum(r**2) for r in linear.residuals)
    gradient = sum(j.T @ r for r, j in zip(linear.residuals, linear.jacobians, strict=True))
    normal = sum(j.T @ j for j in linear.jacobians)
    return Quadratic(jnp.asarray(cost), jnp.asarray(gradient), jnp.asarray(normal))


@eqx.filter_jit
def contributions(
    problem: Problem, seen: Observation, scaled: Float[Array, " free"], matching: Matching
) -> tuple[Float[Array, ""], ...]:
    """Return the share of each target in the cost, then that of the prior, for what was observed."""
    shares = [
        0.5 * jnp.sum((target.deviations(seen, problem.data, matching) * residual_scale(target, problem.data)) ** 2)
        for target in problem.targets
    ]
    return (*shares, 0.5 * problem.prior.strength * jnp.mean(scaled**2))


def residual_scale(target: AbstractTarget, data: TrainingSet) -> Float[Array, "*values"]:
    """Return what a deviation is multiplied by to become a residual: √(weight/n)/tolerance where it counts."""
    counted = target.counted(data)
    n = jnp.maximum(counted.sum(), 1.0)
    return jnp.sqrt(counted * target.weight / n) / target.tolerance
