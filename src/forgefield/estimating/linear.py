"""Force constants by bounded linear least squares: a Hessian is linear in all of them at given reference values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.optimize import lsq_linear

from forgefield import units
from forgefield.errors import ConvergenceError, InputError
from forgefield.estimating.transition_state import Treated
from forgefield.models.expansions import Expansion, evaluated, expansions, profiles, with_charges
from forgefield.models.forcefield import ForceField
from forgefield.molecules.topology import Topology
from forgefield.properties.modes import signed_frequencies

_FLOOR = 100.0
"""cm⁻¹: softer modes weigh as if they were this stiff."""
_SINGULAR = 1e-10
"""A combination of parameters that changes the Hessian by less than this fraction of the most is undetermined."""
_SEEN = 1e-6
"""A parameter with no more than this share in any such combination is determined."""
_TIE = 1e-6
"""Relative weight with which undetermined combinations are drawn to zero; it moves nothing that is determined."""


@dataclass(frozen=True, eq=False)
class LinearSystem:
    """Elements that are linear in parameters: weights · (design @ parameters − target) is to be small."""

    design: Float[np.ndarray, "elements parameters"]
    target: Float[np.ndarray, " elements"]
    weights: Float[np.ndarray, " elements"]


@dataclass(frozen=True, eq=False)
class Prior:
    """Adds Σ ((parameter − centre) / width)² to the sum of squares; an infinite width adds nothing."""

    centre: Float[np.ndarray, " parameters"]
    width: Float[np.ndarray, " parameters"]


@dataclass(frozen=True, eq=False)
class LinearFit:
    """The solution of a linear system."""

    values: Float[np.ndarray, " parameters"]
    rms: float
    """Root of the mean squared weighted deviation of the elements."""
    at_bound: Bool[np.ndarray, " parameters"]
    undetermined: Bool[np.ndarray, " parameters"]
    """Parameters that the elements alone do not determine; of equally good values the smallest are taken."""
    held: Bool[np.ndarray, " parameters"]
    """Parameters that were held at given values."""


def bounded_least_squares(
    system: LinearSystem,
    lower: Float[np.ndarray, " parameters"],
    upper: Float[np.ndarray, " parameters"] | None = None,
    *,
    prior: Prior | None = None,
) -> LinearFit:
    """Minimise Σ (weights · (design @ parameters − target))² within bounds (-inf and inf for none).

    InputError if elements are not finite or bounds leave no room; ConvergenceError if the solver gives up.
    """
    n = system.design.shape[1]
    upper = np.full(n, np.inf) if upper is None else upper
    _check(system, lower, upper)
    if n == 0:
        return _fit(system, np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0, dtype=bool))
    design, target = system.weights[:, None] * system.design, system.weights * system.target
    scale = np.linalg.norm(design, axis=0)
    scale[scale == 0.0] = 1.0
    # The triangle of a QR has the same minimum and one row for each parameter.
    triangle = np.asarray(np.linalg.qr(np.column_stack([design / scale, target]), mode="r"))
    rows, right = triangle[:, :-1], triangle[:, -1]
    undetermined = np.linalg.norm(_null_space(rows), axis=0) > _SEEN
    if prior is not None:
        rows = np.concatenate([rows, np.diag(1.0 / (prior.width * scale))])
        right = np.concatenate([right, prior.centre / prior.width])
    # Of equally good solutions the smallest is taken.
    ties = _TIE * _null_space(rows)
    solution = lsq_linear(
        np.concatenate([rows, ties]),
        np.concatenate([right, np.zeros(len(ties))]),
        bounds=(lower * scale, upper * scale),
        method="bvls",
        tol=1e-14,
        max_iter=20 * n,
    )
    if not solution.success:
        raise ConvergenceError(f"the bounded linear least squares did not converge ({solution.message})")
    # Unscaling leaves values at a bound off it by a rounding error.
    values = np.clip(solution.x / scale, lower, upper)
    return _fit(system, values, solution.active_mask != 0, undetermined)


def shrunk_least_squares(
    system: LinearSystem,
    lower: Float[np.ndarray, " parameters"],
    width: Float[np.ndarray, " parameters"],
    *,
    least: float = 0.0,
) -> LinearFit:
    """Minimise as `bounded_least_squares` does, with values drawn to zero as far as the elements leave them open.

    `width` says how large values usually are; infinite ones are not drawn. What the best fit leaves, and `least` at
    the least, is taken for what the elements are uncertain by, so that exact elements draw nothing.
    """
    best = bounded_least_squares(system, lower)
    uncertain = max(best.rms, least)
    if uncertain == 0.0 or not np.isfinite(width).any():
        return best
    return bounded_least_squares(system, lower, prior=Prior(np.zeros_like(width), width / uncertain))


def refit_with_negatives_held(
    system: LinearSystem,
    lower: Float[np.ndarray, " parameters"],
    under_c: Float[np.ndarray, " parameters"],
    *,
    prior: Prior | None = None,
) -> LinearFit:
    """Return policy E: fit under D without bounds, hold what comes out below `lower` at its value under C, refit.

    `system` is that of the Hessians under D. Repeated until nothing more comes out below; a `lower` of -inf
    leaves a parameter free to be negative. A value under C that is negative itself is kept, not clipped.
    """
    held = np.zeros(len(lower), dtype=bool)
    while True:
        free = ~held
        reduced = replace(
            system,
            design=system.design[:, free],
            target=system.target - system.design[:, held] @ under_c[held],
        )
        inner = None if prior is None else Prior(prior.centre[free], prior.width[free])
        found = bounded_least_squares(reduced, np.full(free.sum(), -np.inf), prior=inner)
        values = np.where(held, under_c, 0.0)
        values[free] = found.values
        below = free & (values < lower)
        if not below.any():
            undetermined = np.zeros_like(held)
            undetermined[free] = found.undetermined
            return replace(_fit(system, values, np.zeros_like(held), undetermined), held=held)
        held = held | below


def eigenmatrix_system(
    model: ForceField,
    topology: Topology,
    positions: Float[Array | np.ndarray, "atoms 3"],
    parameters: Int[np.ndarray, " parameters"],
    references: Sequence[Treated | None],
) -> LinearSystem:
    """Return the elements of all QM eigenmatrices as a linear system in some of a force field's values.

    One reference for each molecule, None where it has no Hessian, at the positions [Å]. The elements are those of the
    Hessian between QM modes, mass-weighted and projected, in kcal/mol/Å²/amu. Weights turn them to cm⁻¹,
    1 / (2 √(ω_a ω_b)) with ω of at least 100 cm⁻¹, and count off-diagonal elements twice, as the norm of a matrix
    does. All other values stay as they are in the model. Raises InputError that lists the parameters to blame where the
    Hessian is not linear in them.
    """
    if len(references) != topology.n_molecules:
        raise InputError(
            f"{topology.n_molecules} molecules have {len(references)} reference Hessians; give one for each"
        )
    eigenvalues = [np.zeros(0) if reference is None else reference.eigenvalues for reference in references]
    places = [np.triu_indices(len(own)) for own in eigenvalues]
    modes = _padded_modes(references, topology.n_max)
    expanded = expansions(model.terms, model.values, topology, positions)

    def at(values: Float[np.ndarray, " parameters"]) -> Float[np.ndarray, " known"]:
        changed = np.array(model.values)
        changed[parameters] = values
        return changed

    def elements(values: Float[np.ndarray, " parameters"]) -> Float[np.ndarray, " elements"]:
        hessian = evaluated(expanded, at(values), topology).hessian
        return _gathered(np.swapaxes(modes, 1, 2) @ hessian @ modes, places)

    def slopes(values: Float[np.ndarray, " parameters"]) -> Float[np.ndarray, "elements parameters"]:
        return _slopes(expanded, with_charges(at(values), topology), parameters, (modes, places))

    zero, trial = np.zeros(len(parameters)), np.linspace(1.0, 2.0, len(parameters))
    base, design = elements(zero), slopes(zero)
    if not _equal(elements(trial) - base, design @ trial):
        moved = slopes(trial)
        wrong = [str(p) for j, p in enumerate(parameters) if not _equal(moved[:, j], design[:, j])]
        raise InputError(
            f"the Hessian is not linear in these of the model's values taken together: {', '.join(wrong)}; "
            "leave out all but force constants"
        )
    return LinearSystem(
        design=design,
        target=_gathered([np.diag(own) for own in eigenvalues], places) - base,
        weights=_gathered([_weights(own) for own in eigenvalues], places),
    )


Places = list[tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]]


def _slopes(
    expanded: list[Expansion],
    known: Float[np.ndarray, " known"],
    wanted: Int[np.ndarray, " parameters"],
    between: tuple[Float[np.ndarray, "molecules coordinates modes"], Places],
) -> Float[np.ndarray, "elements parameters"]:
    """Return how the upper triangles of the eigenmatrices change when one of the wanted values grows by one."""
    modes, places = between
    ends = np.cumsum([0, *(len(first) for first, _ in places)])
    design = np.zeros((ends[-1], len(wanted)))
    column = np.full(len(known), -1)
    column[wanted] = np.arange(len(wanted))
    for one in expanded:
        columns = column[one.parameters]
        # Each interaction once with each wanted value that it has, all in one call.
        acting = np.unique([(i, columns[i, p]) for i, p in np.argwhere(columns >= 0)], axis=0).reshape(-1, 2)
        if not len(acting):
            continue
        interaction, of_value = acting.T
        before = known[one.parameters[interaction]]
        after = before + (one.parameters[interaction] == wanted[of_value][:, None])
        (_, *low), (_, *high) = (profiles(one.term, one.q[interaction], p) for p in (before, after))
        slope, curvature = (b - a for a, b in zip(low, high, strict=True))
        for k in np.unique(of_value):
            own = of_value == k
            part = one.of(interaction[own])
            blocks = part.blocks(slope[own], curvature[own])
            for m in np.unique(part.molecule):
                mine = part.molecule == m
                along = modes[m][part.place[mine]]
                pushed = blocks[mine] @ along
                n = along.shape[2]
                matrix = along.reshape(-1, n).T @ pushed.reshape(-1, n)
                design[ends[m] : ends[m + 1], k] += matrix[places[m]]
    return design


def _equal(first: Float[np.ndarray, " elements"], second: Float[np.ndarray, " elements"]) -> bool:
    """Say whether two arrays are equal but for rounding; no if anything is not finite."""
    tolerance = float(np.sqrt(np.finfo(first.dtype).eps)) * float(np.abs(first).max(initial=0.0))
    return bool((np.abs(first - second) <= tolerance).all())


def _gathered(
    matrices: Float[np.ndarray, "molecules modes modes"] | list[Float[np.ndarray, "_ _"]], places: Places
) -> Float[np.ndarray, " elements"]:
    """Return the upper triangles of all molecules one after another."""
    return np.concatenate([matrix[place] for matrix, place in zip(matrices, places, strict=True)])


def _padded_modes(references: Sequence[Treated | None], n_max: int) -> Float[np.ndarray, "molecules coordinates modes"]:
    """Return M^(-1/2) times the modes of each molecule, zero-padded."""
    most = max((len(reference.eigenvalues) for reference in references if reference is not None), default=0)
    padded = np.zeros((len(references), 3 * n_max, most))
    for m, reference in enumerate(references):
        if reference is not None:
            coordinates, modes = reference.vectors.shape
            padded[m, :coordinates, :modes] = reference.vectors / np.repeat(np.sqrt(reference.masses), 3)[:, None]
    return padded


def _weights(eigenvalues: Float[np.ndarray, " modes"]) -> Float[np.ndarray, "modes modes"]:
    """Return what turns a deviation of the eigenmatrix to cm⁻¹, off-diagonal elements times √2."""
    root = np.sqrt(np.maximum(np.abs(signed_frequencies(eigenvalues)), _FLOOR))
    n = len(root)
    return units.WAVENUMBER**2 / (2.0 * np.outer(root, root)) * (np.sqrt(2.0) - (np.sqrt(2.0) - 1.0) * np.eye(n))


def _null_space(rows: Float[np.ndarray, "rows parameters"]) -> Float[np.ndarray, "null parameters"]:
    """Return orthonormal combinations of parameters that these rows do not see."""
    _, singular, combinations = np.linalg.svd(rows)
    rank = int((singular > _SINGULAR * singular.max(initial=0.0)).sum())
    return combinations[rank:]


def _fit(
    system: LinearSystem,
    values: Float[np.ndarray, " parameters"],
    at_bound: Bool[np.ndarray, " parameters"],
    undetermined: Bool[np.ndarray, " parameters"],
) -> LinearFit:
    """Return the solution with its deviation."""
    deviation = system.weights * (system.design @ values - system.target)
    return LinearFit(
        values=values,
        rms=float(np.sqrt(np.mean(deviation**2))) if len(deviation) else 0.0,
        at_bound=at_bound,
        undetermined=undetermined,
        held=np.zeros(len(values), dtype=bool),
    )


def _check(
    system: LinearSystem, lower: Float[np.ndarray, " parameters"], upper: Float[np.ndarray, " parameters"]
) -> None:
    """Raise InputError for numbers that are not finite and bounds that leave no room."""
    for what in ("design", "target", "weights"):
        if not np.isfinite(getattr(system, what)).all():
            raise InputError(f"the {what} of the linear system holds elements that are not finite numbers")
    crossed = np.flatnonzero(~(lower < upper))
    if crossed.size:
        listed = ", ".join(f"{i} ({lower[i]:g} to {upper[i]:g})" for i in crossed)
        raise InputError(f"the bounds of parameter(s) {listed} leave no room; widen them or fix the parameter")
