"""Layers of neural models: affine maps and perceptrons of two of them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray


class Affine(eqx.Module):
    """x W + b."""

    weight: Float[Array, "inputs outputs"]
    bias: Float[Array, " outputs"]

    def __call__(self, x: Float[Array, "*rows inputs"]) -> Float[Array, "*rows outputs"]:
        """Return the outputs of each row."""
        return x @ self.weight + self.bias.reshape((1,) * (x.ndim - 1) + (-1,))


class Perceptron(eqx.Module):
    """Two affine maps with silu(z) = z σ(z) in between."""

    first: Affine
    second: Affine

    def __call__(self, x: Float[Array, "*rows inputs"]) -> Float[Array, "*rows outputs"]:
        """Return the outputs of each row."""
        return self.second(jax.nn.silu(self.first(x)))


def glorot(key: PRNGKeyArray, inputs: int, outputs: int) -> Float[Array, "inputs outputs"]:
    """Return weights drawn evenly from ±√(6 / (inputs + outputs)) (Glorot and Bengio 2010)."""
    bound = (6.0 / (inputs + outputs)) ** 0.5
    return jr.uniform(key, (inputs, outputs), jnp.float32, -bound, bound)


def affine(key: PRNGKeyArray, inputs: int, outputs: int) -> Affine:
    """Return an affine map with random weights and no bias."""
    return Affine(glorot(key, inputs, outputs), jnp.zeros(outputs, jnp.float32))


def perceptron(key: PRNGKeyArray, inputs: int, hidden: int, outputs: int) -> Perceptron:
    """Return a perceptron with random weights and no biases."""
    first, second = jr.split(key)
    return Perceptron(affine(first, inputs, hidden), affine(second, hidden, outputs))
