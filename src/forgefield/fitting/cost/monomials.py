"""A force field's energy at a fixed geometry as a sum of functions of the parameters, each times a number."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import equinox as eqx
import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield.terms.term import Parameter, Term

_HALF_WIDTH = {"Å": 0.15, "rad": 0.3}
"""Nodes lie this far about the start at most; by the unit of the parameter."""
_OTHER_HALF_WIDTH = 0.5


class Monomials(eqx.Module):
    """Products of polynomials, each in one of a model's values.

    A factor is Σ c_n t^n with t = (value - centre)/width. Factors beyond those of a monomial are one.
    """

    places: Int[np.ndarray, "monomials factors"]
    centre: Float[np.ndarray, "monomials factors"]
    width: Float[np.ndarray, "monomials factors"]
    coefficients: Float[np.ndarray, "monomials factors powers"]

    def values(self, parameters: Float[np.ndarray, "*points parameters"]) -> Float[np.ndarray, "*points monomials"]:
        """Return the monomials for the values of a model."""
        return self._factors(parameters)[0].prod(axis=-1)

    def slopes(
        self, parameters: Float[np.ndarray, "*points parameters"]
    ) -> Float[np.ndarray, "*points monomials factors"]:
        """Return the derivatives of the monomials by the value in each factor."""
        factors, slopes = self._factors(parameters)
        others = [np.delete(factors, f, axis=-1).prod(axis=-1) for f in range(factors.shape[-1])]
        return slopes * np.stack(others, axis=-1)

    def _factors(
        self, parameters: Float[np.ndarray, "*points parameters"]
    ) -> tuple[Float[np.ndarray, "*points monomials factors"], Float[np.ndarray, "*points monomials factors"]]:
        t = (parameters[..., self.places] - self.centre) / self.width
        factor, slope = 0.0 * t, 0.0 * t
        for n in reversed(range(self.coefficients.shape[2])):
            slope = slope * t + factor
            factor = factor * t + self.coefficients[:, :, n]
        return factor, slope / self.width


@dataclass(frozen=True, eq=False)
class Factor:
    """A polynomial in one value of the model."""

    place: int
    centre: float
    width: float
    coefficients: Float[np.ndarray, " powers"]


@dataclass(frozen=True, eq=False)
class Monomial:
    """A product of factors, and parameters of a term for which its energy is what the monomial multiplies."""

    factors: tuple[Factor, ...]
    parameters: Float[np.ndarray, " parameters"]


def is_polynomial(term: Term, selected: Bool[np.ndarray, "rows parameters"]) -> bool:
    """Say whether a term is a polynomial in all of its parameters that are selected in some row."""
    known = 0 if term.polynomial is None else term.polynomial.n_linear + len(term.polynomial.degrees)
    return not selected[:, known:].any()


def monomials_of(
    term: Term,
    places: Int[np.ndarray, " parameters"],
    values: Float[np.ndarray, " parameters"],
    selected: Bool[np.ndarray, " parameters"],
) -> list[Monomial]:
    """Return the monomials of one row of a term's parameters that change with what is selected.

    The energy is Σ of the monomials times the energies at their parameters: in constants it is linear, and in
    reference values, of which it is a polynomial, it is interpolated between nodes (Lagrange), which is exact.
    """
    polynomial = term.polynomial
    assert polynomial is not None
    n_linear, degrees = polynomial.n_linear, polynomial.degrees
    known = n_linear + len(degrees)
    # A constant that is a reference value of the same row, too, makes the energy nonlinear in the constants.
    apart = len(set(places[:n_linear]) | set(places[n_linear:known])) == len(places[:n_linear]) + len(
        set(places[n_linear:known])
    )
    degree = dict.fromkeys(places[selected].tolist(), 0)
    for slot, d in enumerate((*(() if apart else (1,) * n_linear), *degrees), start=n_linear if apart else 0):
        if selected[slot]:
            degree[int(places[slot])] += d
    shapes = [
        _lagrange(int(place), d, float(values[places == place][0]), _parameter(term, places, int(place)))
        for place, d in degree.items()
        if d
    ]
    found = []
    for linear in range(n_linear) if apart else [None]:
        for combination in product(*shapes):
            at = values.copy()
            factors = [factor for factor, _ in combination]
            for factor, node in combination:
                at[places == factor.place] = node
            if linear is not None:
                at[:n_linear] = np.arange(n_linear) == linear
                factors.insert(0, Factor(int(places[linear]), 0.0, 1.0, np.array([0.0, 1.0])))
            if combination or (linear is not None and selected[linear]):
                found.append(Monomial(tuple(factors), at))
    return found


Listed = tuple[list[Monomial], list[dict[tuple[int, ...], Int[np.ndarray, " own"]]]]


def listed(
    terms: Sequence[Term],
    rows: Sequence[Int[np.ndarray, "_ _"]],
    values: Float[np.ndarray, " parameters"],
    changes: Bool[np.ndarray, " places"],
) -> Listed:
    """Return the monomials of all rows of parameters, and for each term those of each of its rows, by their places.

    `changes` says which of the values do, and of one more that stands for all places beyond the last.
    """
    found: list[Monomial] = []
    of_row = []
    for term, places in zip(terms, rows, strict=True):
        own: dict[tuple[int, ...], np.ndarray] = {}
        selected = changes[np.minimum(places, len(values))]
        for row, mine in zip(places, selected, strict=True):
            # Of places beyond the last, which are charges, no monomial is made.
            made = monomials_of(term, row, values[np.minimum(row, len(values) - 1)], mine) if mine.any() else []
            own[tuple(row.tolist())] = np.arange(len(found), len(found) + len(made))
            found.extend(made)
        of_row.append(own)
    return found, of_row


def gathered(monomials: list[Monomial]) -> Monomials:
    """Return monomials as arrays."""
    n_factors = max(len(m.factors) for m in monomials)
    n_powers = max(len(f.coefficients) for m in monomials for f in m.factors)
    shape = len(monomials), n_factors
    places, centre, width = np.zeros(shape, dtype=np.int64), np.zeros(shape), np.ones(shape)
    coefficients = np.zeros((*shape, n_powers))
    coefficients[:, :, 0] = 1.0
    for j, monomial in enumerate(monomials):
        for f, factor in enumerate(monomial.factors):
            places[j, f], centre[j, f], width[j, f] = factor.place, factor.centre, factor.width
            coefficients[j, f] = 0.0
            coefficients[j, f, : len(factor.coefficients)] = factor.coefficients
    return Monomials(places, centre, width, coefficients)


def _parameter(term: Term, places: Int[np.ndarray, " parameters"], place: int) -> Parameter:
    return term.parameters[int(np.flatnonzero(places == place)[0])]


def _lagrange(place: int, degree: int, centre: float, parameter: Parameter) -> list[tuple[Factor, float]]:
    """Return the polynomials that are one at one node and zero at the others, each with its node."""
    width = _HALF_WIDTH.get(parameter.unit, _OTHER_HALF_WIDTH)
    nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    coefficients = np.linalg.inv(np.vander(nodes, increasing=True)).T
    return [
        (Factor(place, centre, width, own), centre + width * node)
        for own, node in zip(coefficients, nodes, strict=True)
    ]
