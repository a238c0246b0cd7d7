"""Tables of the report of a validation, for the page and the terminal."""

from collections.abc import Sequence

import numpy as np

from forgefield import units
from forgefield.report.numerals import UNKNOWN, fixed, percent, significant
from forgefield.report.student.findings import BondScan, Errors, Findings, Quantity, Round
from forgefield.table import Column, Group, Table, table

MEV = 0.001 * units.ELECTRONVOLT
_ERRORS = (Column("MAE"), Column("RMSE"), Column("largest"), Column("values"))


def criteria_table(found: Findings) -> Table:
    """Return each threshold with what was found."""
    columns = (
        Column("threshold", numeric=False),
        Column("found"),
        Column("limit"),
        Column("unit", numeric=False),
        Column("verdict", numeric=False),
    )
    rows = [
        (
            f"{one.key}: {one.meaning}",
            significant(one.value, 3) if np.isfinite(one.value) else "not known",
            f"{'≥' if one.upwards else '≤'} {significant(one.limit, 3)}",
            one.unit,
            "met" if one.met else "NOT MET",
        )
        for one in found.criteria
    ]
    return table("Thresholds", columns, rows)


def rounds_table(rounds: Sequence[Round]) -> Table:
    """Return what each round added, and the errors on the test set after it."""
    columns = (
        Column("round"),
        Column("added"),
        Column("failed"),
        Column("for training"),
        Column("forces of the added before", "meV/Å"),
        Column("energies", "meV/atom"),
        Column("forces", "meV/Å"),
    )
    rows = [
        (
            str(one.number),
            str(one.added),
            str(len(one.failures)),
            str(one.training),
            *(
                fixed(value / MEV, digits) if np.isfinite(value) else UNKNOWN
                for value, digits in ((one.before, 1), (one.energy, 2), (one.force, 1))
            ),
        )
        for one in rounds
    ]
    reasons = [f"round {one.number}, {molecule}: {reason}" for one in rounds for molecule, reason in one.failures]
    return table("Rounds: mean absolute errors on the test set after each", columns, rows, "\n".join(reasons))


def errors_table(found: Findings) -> Table:
    """Return the errors of all kinds of labels together."""
    a = found.accuracy
    rows = [
        ("energy, relative", *_cells(a.energy.total, MEV), "meV"),
        ("energy, relative, by atom", *_cells(a.per_atom, MEV), "meV"),
        ("energy as it is, offsets left in", *_cells(a.absolute, MEV), "meV"),
        ("force component", *_cells(a.force.total, MEV), "meV/Å"),
    ]
    if a.product is not None:
        rows.append(("Hessian product component", *_cells(a.product.total, 1.0), "kcal/mol/Å²"))
    if a.stress is not None:
        rows.append(("stress component", *_cells(a.stress.total, MEV), "meV/Å³"))
    columns = (Column("label", numeric=False), *_ERRORS, Column("unit", numeric=False))
    told = a.angles
    note = (
        f"Angles between forces above {told.smallest:g} kcal/mol/Å, {told.n} atoms: mean {fixed(told.mean, 1)}°, "
        f"median {fixed(told.median, 1)}°, 95 in 100 below {fixed(told.highest, 1)}°."
    )
    return table("Errors", columns, rows, note)


def force_table(found: Findings) -> Table:
    """Return errors of forces by size, element and molecule."""
    return _divided("Forces", found.accuracy.force, MEV, "meV/Å")


def energy_table(found: Findings) -> Table:
    """Return errors of relative energies by molecule, and the offsets of compositions."""
    return _divided("Relative energies", found.accuracy.energy, MEV, "meV")


def product_table(found: Findings) -> Table | None:
    """Return errors of Hessian products by molecule and element."""
    product = found.accuracy.product
    return None if product is None else _divided("Hessian products", product, 1.0, "kcal/mol/Å²")


def offsets_table(found: Findings) -> Table:
    """Return the offset of each composition."""
    rows = [(o.composition, str(o.n), fixed(o.offset / MEV, 1)) for o in found.accuracy.offsets]
    columns = (Column("composition", numeric=False), Column("records"), Column("student − teacher", "meV"))
    return table("Offsets that relative energies leave out", columns, rows)


def committee_table(found: Findings) -> Table | None:
    """Return how the spread of a committee tells its error."""
    one = found.committee
    if one is None:
        return None
    rows = [
        ("students", str(one.n)),
        ("spread, root mean square / meV/Å", fixed(one.spread / MEV, 1)),
        ("error, root mean square / meV/Å", fixed(one.rmse / MEV, 1)),
        ("calibration factor", fixed(one.factor, 2)),
        ("errors within one calibrated deviation (68 % if normal)", percent(one.within)),
        ("errors within two (95 % if normal)", percent(one.within_two)),
        ("rank correlation of spread and error, by atom", fixed(one.correlation, 2)),
    ]
    note = "The factor comes from every other record; shares are those of the others."
    return table("Committee", (Column("quantity", numeric=False), Column("value")), rows, note)


def minima_table(found: Findings) -> Table:
    """Return how minima and frequencies compare."""
    columns = (
        Column("molecule", numeric=False),
        Column("RMSD", "Å"),
        Column("bond", "Å"),
        Column("MAE of frequencies", "cm⁻¹"),
        Column("largest", "cm⁻¹"),
        Column("remark", numeric=False),
    )
    rows = [
        (
            one.name,
            fixed(one.rmsd, 3),
            fixed(one.bond, 4),
            fixed(one.errors.mae, 1),
            fixed(one.errors.largest, 1),
            one.problem or ("" if len(one.reference) else f"lowest frequency {fixed(_lowest(one.student), 0)} cm⁻¹"),
        )
        for one in found.minima
    ]
    return table("Minima", columns, rows)


def _lowest(frequencies: np.ndarray) -> float:
    return float(frequencies.min()) if len(frequencies) else np.nan


def scans_table(found: Findings) -> Table:
    """Return what each bond does from 0.7 to 1.5 times its length."""
    columns = (
        Column("bond", numeric=False),
        Column("kink", "% of slopes"),
        Column("student at 1.5 r₀", "kcal/mol"),
        Column("teacher", "kcal/mol"),
        Column("RMSD", "kcal/mol"),
        Column("verdict", numeric=False),
    )
    groups = []
    for molecule in dict.fromkeys(one.molecule for one in found.scans):
        rows = tuple(_scan_row(one) for one in found.scans if one.molecule == molecule)
        groups.append(Group(molecule, rows))
    return Table("Bonds from 0.7 to 1.5 r₀, the rest rigid", columns, tuple(groups), _ABOUT_SCANS)


_ABOUT_SCANS = (
    "Kink: how far a slope is off what its neighbours say. A bond that goes over a hill falls apart, or together, "
    "beyond it. Energies are counted from the lowest point of the scan; the RMSD is that of the points below 100 "
    "kcal/mol."
)


def _scan_row(one: BondScan) -> tuple[str, ...]:
    student = one.student - one.student.min()
    known = np.isfinite(one.reference) & (np.nan_to_num(one.reference, nan=np.inf) < 100.0)
    rmsd = float(np.sqrt(np.mean((student - one.reference)[known] ** 2))) if known.any() else np.nan
    said = [] if one.smooth else ["has a kink"]
    said += [f"over a hill at {', '.join(fixed(at, 2) for at in one.turns)} Å"] if one.turns else []
    return (
        one.bond,
        fixed(100.0 * one.kink, 2),
        fixed(float(student[-1]), 1),
        fixed(float(one.reference[-1]), 1),
        fixed(rmsd, 2),
        "; ".join(said) or "smooth, rises both ways",
    )


def dynamics_table(found: Findings) -> Table:
    """Return drift and stability."""
    columns = (
        Column("dynamics", numeric=False),
        Column("asked", "ps"),
        Column("lasted", "ps"),
        Column("drift", "meV/atom/ps"),
        Column("fluctuation", "meV/atom"),
        Column("verdict", numeric=False),
    )
    rows = [
        (
            f"{one.molecule}, constant energy from 300 K",
            fixed(one.asked, 1),
            fixed(one.ps, 1),
            significant(one.drift / MEV, 2),
            significant(one.fluctuation / MEV, 2),
            one.problem or "lasts",
        )
        for one in found.drifts
    ]
    rows += [
        (
            f"{one.molecule}, {one.temperature:g} K, {one.n} replicas",
            fixed(one.ps, 1),
            fixed(one.stable, 1),
            UNKNOWN,
            UNKNOWN,
            one.problem or "lasts",
        )
        for one in found.stabilities
    ]
    return table("Dynamics", columns, rows)


def distributions_table(found: Findings) -> Table | None:
    """Return how distributions overlap."""
    if not found.distributions:
        return None
    columns = (Column("distribution", numeric=False), Column("T", "K"), Column("overlap"), Column("attainable"))
    rows = [
        (f"{one.molecule}, {one.name}", f"{one.temperature:g}", fixed(one.overlap, 3), fixed(one.attainable, 3))
        for one in found.distributions
    ]
    note = (
        "Overlap of the student's with the teacher's, 1 where equal; attainable is that of the first half of the "
        "teacher's structures with the second, which tells how far they are known, but for wells that its run did "
        "not visit."
    )
    return table("Distances and torsions in dynamics", columns, rows, note)


def speed_table(found: Findings) -> Table:
    """Return times of teacher and student."""
    columns = (
        Column("molecule", numeric=False),
        Column("atoms"),
        Column("teacher", "ms"),
        Column("student", "ms"),
        Column("times faster"),
    )
    rows = [
        (
            one.molecule,
            str(one.n_atoms),
            significant(one.teacher_ms, 3),
            significant(one.student_ms, 3),
            significant(one.factor, 3),
        )
        for one in found.speeds
    ]
    return table(
        "Energy and forces, measured in turn",
        columns,
        rows,
        "The least of some runs, one structure at a time.",
    )


def _divided(title: str, quantity: Quantity, unit: float, name: str) -> Table:
    columns = (Column("", numeric=False), *(Column(c.label, name if c.label != "values" else "") for c in _ERRORS))
    parts = (
        ("by size of the force / kcal/mol/Å", quantity.by_size),
        ("by element", quantity.by_element),
        ("by molecule", quantity.by_molecule),
    )
    groups = tuple(
        Group(heading, tuple((key, *_cells(errors, unit)) for key, errors in part.items()))
        for heading, part in parts
        if part
    )
    return Table(title, columns, groups)


def _cells(errors: Errors, unit: float) -> tuple[str, str, str, str]:
    mae, rmse, largest = (significant(x / unit, 3) for x in (errors.mae, errors.rmse, errors.largest))
    return mae, rmse, largest, str(errors.n)
