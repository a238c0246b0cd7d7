"""How a neural student is trained: what its errors weigh, and how it steps."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from forgefield.errors import InputError

Kind = Literal["mse", "mae", "huber"]
KINDS: tuple[Kind, ...] = ("mse", "mae", "huber")
OPTIMISERS = {
    "adamw": optax.adamw,
    "adam": optax.adam,
    "lamb": optax.lamb,
    "lion": optax.lion,
    "nadamw": optax.nadamw,
}
"""Of optax; those with a decay of weights take it."""
_DECAYING = {"adamw", "lamb", "lion", "nadamw"}
Precision = Literal["f32", "f64", "bf16"]
PRECISIONS: tuple[Precision, ...] = ("f32", "f64", "bf16")


class Pace(NamedTuple):
    """What says how far each step goes: numbers that a compiled step is given."""

    highest: float
    """The highest learning rate."""
    lowest: float
    """That of the last step."""
    warmup: float
    """Steps in which it rises."""
    steps: float
    averaging: float

    def rate(self, step: Int[Array | np.ndarray, ""]) -> Float[Array, ""]:
        """Return the learning rate of a step, counted from 0: up along a line, down along half a cosine."""
        done = jnp.asarray(step).astype(jnp.result_type(float))
        gone = jnp.clip((done - self.warmup) / jnp.maximum(self.steps - self.warmup, 1.0), 0.0, 1.0)
        falling = self.lowest + (self.highest - self.lowest) * 0.5 * (1.0 + jnp.cos(jnp.pi * gone))
        return jnp.where(done < self.warmup, self.highest * (done + 1.0) / jnp.maximum(self.warmup, 1.0), falling)


@dataclass(frozen=True)
class Weights:
    """What errors weigh in the loss. Each is a mean over what there is of it in a batch."""

    energy: float = 1.0
    """Of energies per atom [eV]."""
    force: float = 1.0
    """Of force components [eV/Å]."""
    product: float = 0.0
    """Of components of Hessian products along directions of the length of one for each coordinate [eV/Å²]."""
    atomic_energy: float = 0.0
    """Of the energies of atoms [eV], where the teacher divides its energy among them."""
    stress: float = 0.0
    """Of components of stresses [eV/Å³], of periodic systems."""
    balanced: bool = False
    """Whether each is divided by its own running mean, so that weights are shares."""
    kind: Kind = "mse"
    """Mean square, mean absolute, or Huber (squares up to `corner`, straight beyond)."""
    corner: float = 0.01
    """Where Huber's loss becomes straight, in the unit of each error."""


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train. Raises InputError that lists all that makes no sense."""

    steps: int = 5000
    batch: int = 16
    """Molecules of one step."""
    weights: Weights = Weights()
    optimiser: str = "adamw"
    """A name of `OPTIMISERS`."""
    learning_rate: float = 3e-3
    """The highest; it falls along half a cosine to `last_rate` times that."""
    last_rate: float = 0.01
    warmup: int = 100
    """Steps in which it rises from zero."""
    decay: float = 0.0
    """Of the weights, by the learning rate and step."""
    largest_gradient: float = 10.0
    """Longer gradients of the loss are shortened to this norm."""
    accumulate: int = 1
    """Batches whose gradients make one step of the optimiser."""
    averaging: float = 0.998
    """Kept fraction of the running mean of the weights at each step; the mean is what training returns."""
    check_every: int = 500
    """Steps between two looks at the validation set."""
    patience: int = 0
    """Looks without a better one after which training ends; 0: never."""
    seed: int = 0
    precision: Precision = "f32"
    """In which networks are computed. With bf16 weights stay in float32 and are rounded for each step."""

    def __post_init__(self) -> None:
        weights = self.weights
        counts = {name: getattr(self, name) for name in ("steps", "batch", "accumulate", "check_every")}
        positive = {name: getattr(self, name) for name in ("learning_rate", "largest_gradient")}
        shares = {name: getattr(self, name) for name in ("averaging", "last_rate")}
        weighing = {name: getattr(weights, name) for name in ("energy", "force", "product", "atomic_energy", "stress")}
        wrong = [f"{name} must be 1 or more, not {n}" for name, n in counts.items() if n < 1]
        # Written so that a NaN is wrong too.
        wrong += [
            f"{name} must be positive, not {value}"
            for name, value in (positive | {"corner": weights.corner}).items()
            if not 0.0 < value < np.inf
        ]
        wrong += [f"{name} must be from 0 to 1, not {v}" for name, v in shares.items() if not 0.0 <= v <= 1.0]
        wrong += [
            f"{name} must not be negative, not {value}"
            for name, value in (weighing | {"decay": self.decay}).items()
            if not 0.0 <= value < np.inf
        ]
        if self.optimiser not in OPTIMISERS:
            wrong.append(f"optimiser {self.optimiser!r} is not one of {', '.join(OPTIMISERS)}")
        if self.precision not in PRECISIONS:
            wrong.append(f"precision {self.precision!r} is not one of {', '.join(PRECISIONS)}")
        if weights.kind not in KINDS:
            wrong.append(f"kind {weights.kind!r} is not one of {', '.join(KINDS)}")
        if not any(value > 0.0 for value in weighing.values()):
            wrong.append("some error must weigh more than zero")
        if wrong:
            raise InputError("; ".join(wrong))

    @property
    def pace(self) -> Pace:
        """How far each step goes."""
        warmup = min(self.warmup, self.steps // 2)
        numbers = self.learning_rate, self.last_rate * self.learning_rate, warmup, self.steps, self.averaging
        return Pace(*map(float, numbers))

    @property
    def program(self) -> "Recipe":
        """The recipe without what a compiled step does not depend on."""
        fixed = {"steps": 1, "batch": 1, "learning_rate": 1.0, "last_rate": 0.0, "warmup": 0, "averaging": 0.0}
        return replace(self, **fixed, check_every=1, patience=0, seed=0)

    def optimisation(self) -> optax.GradientTransformation:
        """Return what turns gradients into steps of the learning rate 1."""
        options = {"weight_decay": self.decay} if self.optimiser in _DECAYING else {}
        step = optax.chain(optax.clip_by_global_norm(self.largest_gradient), OPTIMISERS[self.optimiser](1.0, **options))
        return step if self.accumulate == 1 else optax.MultiSteps(step, self.accumulate).gradient_transformation()
