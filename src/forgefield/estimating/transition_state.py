"""What is done to the negative eigenvalue of a transition state before anything is fitted to its Hessian.

The policies are those of Limé and Norrby, J. Comput. Chem. 2015, 36, 244. Each works on the mass-weighted,
projected Hessian and replaces at most one eigenvalue, never an element of the Hessian.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError
from forgefield.properties.modes import Vibrations, signed_frequencies, vibrations

LARGE = units.HARTREE_PER_BOHR2
"""1 Hartree/(Bohr²·amu) in kcal/mol/Å²/amu, that is 5140 cm⁻¹."""
NOISE = 30.0
"""cm⁻¹: an imaginary frequency below it is taken for numerical noise."""

_CHOICES = 'transition_state = "C" | "D" | "D+" | "E" | "none"'


@dataclass(frozen=True)
class C:
    """Replace the negative eigenvalue by a large positive one [kcal/mol/Å²/amu].

    Gives the right response to steric demand along the reaction coordinate; a few angles may come out negative.
    """

    eigenvalue: float = LARGE

    def __post_init__(self) -> None:
        _check_positive("C", self.eigenvalue)


@dataclass(frozen=True)
class D:
    """Fit the negative eigenvalue as it is; constants may come out negative and are then listed."""


@dataclass(frozen=True)
class DPlus:
    """Replace the negative eigenvalue by its magnitude, or by a stated positive one."""

    eigenvalue: float | None = None
    """kcal/mol/Å²/amu; None for the magnitude."""

    def __post_init__(self) -> None:
        if self.eigenvalue is not None:
            _check_positive("D+", self.eigenvalue)


@dataclass(frozen=True)
class E:
    """D, then interactions whose constants come out negative are fixed at their values under `c`.

    The Hessian is that of D; the second step belongs to the estimate or the fit.
    """

    c: C = field(default_factory=C)


@dataclass(frozen=True)
class AsIs:
    """Take the Hessian as it is and say nothing of its order; no mode is the reaction mode ("none")."""


Policy = C | D | DPlus | E | AsIs


@dataclass(frozen=True, eq=False)
class Treated:
    """A Hessian after a policy, and what the policy did. Modes keep the order they had before it."""

    hessian: Float[np.ndarray, "coordinates coordinates"]
    """kcal/mol/Å², Cartesian, not mass-weighted, translations and rotations projected out."""
    eigenvalues: Float[np.ndarray, " modes"]
    """kcal/mol/Å²/amu after the policy, so ascending but for the reaction mode."""
    vectors: Float[np.ndarray, "coordinates modes"]
    """Orthonormal, in mass-weighted coordinates; no policy changes them."""
    masses: Float[np.ndarray, " atoms"]
    """amu"""
    before: Vibrations
    """The vibrations before the policy."""
    reaction_mode: int | None
    """Column of the reaction mode; None where there is none or the policy is `AsIs`."""
    statement: str
    """What was done, for the output."""

    @property
    def frequencies(self) -> Float[np.ndarray, " modes"]:
        """cm⁻¹ after the policy, imaginary ones negative."""
        return signed_frequencies(self.eigenvalues)

    @property
    def is_made_up(self) -> bool:
        """Whether the eigenvalue of the reaction mode is the policy's, not the Hessian's."""
        mode = self.reaction_mode
        return mode is not None and bool(self.frequencies[mode] != self.before.frequencies[mode])


def treat(
    hessian: Float[np.ndarray, "coordinates coordinates"],
    positions: Float[np.ndarray, "atoms 3"],
    masses: Float[np.ndarray, " atoms"],
    policy: Policy | None,
    *,
    allow_negative: int = 1,
    name: str = "structure",
) -> Treated:
    """Return the Hessian [kcal/mol/Å²] of one molecule after a policy.

    On a minimum a policy changes nothing, so that minima and transition states may share one. Where more
    negative eigenvalues than one are allowed, the lowest is the reaction mode and the others stay.
    InputError if more than `allow_negative` eigenvalues are negative beyond `NOISE`, or if one is and no
    policy is given (None); `name` heads the message.
    """
    before = vibrations(hessian, positions, masses)
    imaginary = before.frequencies[before.frequencies < -NOISE]
    if len(imaginary) > allow_negative:
        raise InputError(
            f"{name}: {len(imaginary)} imaginary frequencies beyond {NOISE:g} cm⁻¹ ({_listed(imaginary)}) where "
            f"{allow_negative} may be; reoptimise the structure, or state allow_negative = {len(imaginary)}"
        )
    if len(imaginary) and policy is None:
        raise InputError(
            f"{name}: the Hessian has a negative eigenvalue ({_listed(imaginary)}); "
            f"state what is done to it: {_CHOICES}"
        )
    reaction_mode = None if policy is None or isinstance(policy, AsIs) or not len(imaginary) else 0
    eigenvalues = before.eigenvalues.copy()
    if reaction_mode is not None:
        eigenvalues[reaction_mode] = _replacement(policy, eigenvalues[reaction_mode])
    return Treated(
        hessian=_cartesian(eigenvalues, before.vectors, masses),
        eigenvalues=eigenvalues,
        vectors=before.vectors,
        masses=masses,
        before=before,
        reaction_mode=reaction_mode,
        statement=_statement(policy, before, eigenvalues, reaction_mode),
    )


def _replacement(policy: Policy | None, eigenvalue: float) -> float:
    """Return what a policy puts in the place of the negative eigenvalue."""
    match policy:
        case C(eigenvalue=large):
            return large
        case DPlus(eigenvalue=None):
            return abs(eigenvalue)
        case DPlus(eigenvalue=small) if small is not None:
            return small
        case _:
            return eigenvalue


def _cartesian(
    eigenvalues: Float[np.ndarray, " modes"],
    vectors: Float[np.ndarray, "coordinates modes"],
    masses: Float[np.ndarray, " atoms"],
) -> Float[np.ndarray, "coordinates coordinates"]:
    """Return the Hessian [kcal/mol/Å²] that has these eigenvalues and mass-weighted vectors."""
    moved = np.repeat(np.sqrt(masses), 3)[:, None] * vectors
    return (moved * eigenvalues) @ moved.T


def _statement(
    policy: Policy | None,
    before: Vibrations,
    eigenvalues: Float[np.ndarray, " modes"],
    reaction_mode: int | None,
) -> str:
    """Say in one sentence what the policy did."""
    label = _label(policy)
    frequencies = before.frequencies
    if reaction_mode is None:
        lowest = f"lowest frequency {frequencies[0]:.1f} cm⁻¹" if len(frequencies) else "no vibrations"
        return f"transition_state {label}: the Hessian is used as it is ({lowest})."
    was = f"the negative eigenvalue ({frequencies[reaction_mode]:.1f} cm⁻¹)"
    now = signed_frequencies(eigenvalues)[reaction_mode]
    done = {
        C: f"{was} was replaced by a large positive one ({now:.1f} cm⁻¹)",
        DPlus: f"{was} was replaced by a positive one ({now:.1f} cm⁻¹)",
        D: f"{was} is fitted as it is",
        E: f"{was} is fitted as it is, and constants that come out negative are fixed at their values under C",
    }
    others = frequencies[1:][frequencies[1:] < -NOISE]
    rest = f"; further imaginary frequencies were left as they are ({_listed(others)})" if len(others) else ""
    return f"transition_state {label}: {done[type(policy)]}{rest}."


def _label(policy: Policy | None) -> str:
    """Return the letter that the literature gives to a policy."""
    match policy:
        case None:
            return "not stated"
        case DPlus():
            return '"D+"'
        case AsIs():
            return '"none"'
        case _:
            return f'"{type(policy).__name__}"'


def _listed(frequencies: Float[np.ndarray, " modes"]) -> str:
    return ", ".join(f"{frequency:.1f}" for frequency in frequencies) + " cm⁻¹"


def _check_positive(label: str, eigenvalue: float) -> None:
    if not (np.isfinite(eigenvalue) and eigenvalue > 0.0):
        raise InputError(f"policy {label} puts a positive eigenvalue [kcal/mol/Å²/amu] in place, not {eigenvalue}")
