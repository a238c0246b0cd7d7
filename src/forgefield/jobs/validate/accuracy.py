"""How labels are reproduced: energies from a common zero, forces and Hessian products, each by kind."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, Shaped
from scipy.stats import spearmanr

from forgefield.io.datasets.records import Record
from forgefield.jobs.validate.answers import Answers
from forgefield.molecules.molecule import Molecule
from forgefield.report.student.findings import Accuracy, Angles, Committee, Errors, Offset, Quantity

SIZES = (0.0, 2.0, 10.0, 30.0, 100.0)
"""kcal/mol/Å; where classes of forces begin."""
_WEAK = 1.0
"""kcal/mol/Å; of weaker forces the direction says little."""
_BINS = 10


def accuracy(records: Sequence[Record], members: Sequence[Answers]) -> Accuracy:
    """Return how the mean of some students reproduces records that all have energy and gradient."""
    reference = np.array([_given(record.label.energy) for record in records])
    energy = np.mean([one.energy for one in members], axis=0)
    sizes = np.array([record.molecule.n_atoms for record in records])
    compositions = [_composition(record.molecule) for record in records]
    offsets, shift = _offsets(compositions, energy - reference)
    names = [record.molecule.name for record in records]
    zero = _means(compositions, reference)
    # What is alone with its composition has the offset for an error.
    shared = np.array([compositions.count(name) > 1 for name in compositions])
    relative = (energy - shift - reference)[shared]
    return Accuracy(
        n=len(records),
        energy=Quantity(
            Errors.of(relative),
            _groups(np.array(names)[shared], relative),
            {},
            {},
            (reference - zero)[shared],
            (energy - shift - zero)[shared],
        ),
        per_atom=Errors.of(relative / sizes[shared]),
        absolute=Errors.of(energy - reference),
        offsets=offsets,
        force=_forces(records, names, -gradients(records), -_mean([one.gradient for one in members])),
        angles=_angles(-gradients(records), -_mean([one.gradient for one in members])),
        product=_products(records, names, [one.product for one in members]),
        stress=_stresses(records, names, np.mean([one.stress for one in members], axis=0)),
    )


def gradients(records: Sequence[Record]) -> Float[np.ndarray, "atoms 3"]:
    """Return the teacher's gradients, one record after the other."""
    return np.concatenate([_given(record.label.gradient) for record in records])


def committee(records: Sequence[Record], members: Sequence[Answers]) -> Committee | None:
    """Return how the spread of students tells their error; None of fewer than two, or of fewer than two records.

    The factor that makes standard deviations as large as errors comes from every other record, and is tried on the
    others.
    """
    if len(members) < 2 or len(records) < 2:
        return None
    said = np.array([np.concatenate(one.gradient) for one in members])
    error, spread = said.mean(axis=0) - gradients(records), said.std(axis=0, ddof=1)
    spread = np.maximum(spread, np.finfo(float).tiny)
    record = np.repeat(np.arange(len(records)), [r.molecule.n_atoms for r in records])
    first = record % 2 == 0
    factor = float(np.sqrt(np.mean((error[first] / spread[first]) ** 2)))
    off = np.abs(error[~first]) / (factor * spread[~first])
    by_atom = [np.linalg.norm(a, axis=1) for a in (spread, error)]
    order = np.argsort(spread.ravel())
    parts = [part for part in np.array_split(order, min(_BINS, len(order))) if len(part)]
    return Committee(
        n=len(members),
        spread=_rms(spread),
        rmse=_rms(error),
        factor=factor,
        within=float(np.mean(off < 1.0)),
        within_two=float(np.mean(off < 2.0)),
        correlation=_ranked(*by_atom),
        bins=tuple((factor * _rms(spread.ravel()[part]), _rms(error.ravel()[part])) for part in parts),
    )


def _ranked(spread: Float[np.ndarray, " atoms"], error: Float[np.ndarray, " atoms"]) -> float:
    """Return the correlation of ranks; NaN where all values of one are equal."""
    if np.ptp(spread) == 0.0 or np.ptp(error) == 0.0:
        return np.nan
    return float(np.asarray(spearmanr(spread, error))[0])


def _forces(
    records: Sequence[Record],
    names: Sequence[str],
    reference: Float[np.ndarray, "atoms 3"],
    student: Float[np.ndarray, "atoms 3"],
) -> Quantity:
    sizes = [record.molecule.n_atoms for record in records]
    length = np.linalg.norm(reference, axis=1)
    classes = np.searchsorted(SIZES, length, side="right") - 1
    off = student - reference
    return Quantity(
        Errors.of(off),
        _groups(np.repeat(names, sizes), off),
        _groups(_elements(records), off),
        {_class(k): Errors.of(off[classes == k]) for k in range(len(SIZES)) if (classes == k).any()},
        reference.ravel(),
        student.ravel(),
    )


def _class(k: int) -> str:
    return f"{SIZES[k]:g} to {SIZES[k + 1]:g}" if k + 1 < len(SIZES) else f"above {SIZES[k]:g}"


def _products(
    records: Sequence[Record], names: Sequence[str], members: Sequence[Sequence[Float[np.ndarray, "_ _ 3"]]]
) -> Quantity | None:
    """Return how products are reproduced, scaled to directions of the length of one for each coordinate."""
    reference, student, whose, elements = [], [], [], []
    for k, record in enumerate(records):
        products = record.label.products
        if products is None:
            continue
        said = np.mean([member[k] for member in members], axis=0)
        for direction, value, ours in zip(products.directions, products.values, said, strict=True):
            scale = np.sqrt(direction.size / np.sum(direction**2))
            reference.append(scale * value)
            student.append(scale * ours)
            whose += [names[k]] * len(value)
            elements += record.molecule.symbols
    if not reference:
        return None
    there, here = np.concatenate(reference), np.concatenate(student)
    off = here - there
    return Quantity(Errors.of(off), _groups(whose, off), _groups(elements, off), {}, there.ravel(), here.ravel())


def _stresses(
    records: Sequence[Record], names: Sequence[str], student: Float[np.ndarray, "records 3 3"]
) -> Quantity | None:
    """Return how stresses are reproduced; None where no record has one."""
    known = [k for k, record in enumerate(records) if record.label.stress is not None]
    if not known:
        return None
    reference = np.array([_given(records[k].label.stress) for k in known])
    off = student[known] - reference
    whose = _groups([names[k] for k in known], off)
    return Quantity(Errors.of(off), whose, {}, {}, reference.ravel(), student[known].ravel())


def _angles(reference: Float[np.ndarray, "atoms 3"], student: Float[np.ndarray, "atoms 3"]) -> Angles:
    strong = np.linalg.norm(reference, axis=1) > _WEAK
    a, b = reference[strong], student[strong]
    found = np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), np.sum(a * b, axis=1)))
    if not len(found):
        return Angles(0, _WEAK, np.nan, np.nan, np.nan)
    return Angles(len(found), _WEAK, float(found.mean()), float(np.median(found)), float(np.quantile(found, 0.95)))


def _offsets(
    compositions: Sequence[str], off: Float[np.ndarray, " records"]
) -> tuple[tuple[Offset, ...], Float[np.ndarray, " records"]]:
    """Return the mean deviation of the energies of each composition, and that of each record's."""
    shift = _means(compositions, off)
    firsts = {name: k for k, name in reversed(list(enumerate(compositions)))}
    counts = {name: compositions.count(name) for name in firsts}
    return tuple(Offset(name, counts[name], float(shift[firsts[name]])) for name in sorted(firsts)), shift


def _means(groups: Sequence[str], values: Float[np.ndarray, " records"]) -> Float[np.ndarray, " records"]:
    """Return for each value the mean of its group."""
    _, place = np.unique(groups, return_inverse=True)
    return (np.bincount(place, values) / np.bincount(place))[place]


def _groups(
    names: Sequence[str] | Shaped[np.ndarray, " values"], off: Float[np.ndarray, "values *more"]
) -> dict[str, Errors]:
    """Return the errors of each name."""
    kinds, place = np.unique(names, return_inverse=True)
    return {str(kind): Errors.of(off[place == k]) for k, kind in enumerate(kinds)}


def _elements(records: Iterable[Record]) -> list[str]:
    return [name for record in records for name in record.molecule.symbols]


def _composition(molecule: Molecule) -> str:
    return f"{molecule.formula}{f' {molecule.charge:+d}' if molecule.charge else ''}"


def _mean(members: Sequence[Sequence[Float[np.ndarray, "_ 3"]]]) -> Float[np.ndarray, "atoms 3"]:
    return np.mean([np.concatenate(one) for one in members], axis=0)


def _rms(values: Float[np.ndarray, "*values"]) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _given(value):
    assert value is not None
    return value
