"""Figures of the report of a validation."""

import numpy as np
from jaxtyping import Float

from forgefield.report.figures.axes import Mark, Scale, axes, curve, drawing, legend, line, marks
from forgefield.report.figures.figure import Figure, drawn_text, room_for_labels
from forgefield.report.numerals import fixed, plural
from forgefield.report.student.findings import BondScan, Committee, Distribution, Findings, Minimum, Quantity
from forgefield.report.student.student_tables import MEV

_SIDE, _WIDTH, _HEIGHT = 360, 360, 260
_MOST = 3000
"""Points of a plot."""
_HIGHEST = 150.0
"""kcal/mol that a scan is shown up to."""


def parities(found: Findings) -> list[Figure]:
    """Return teacher against student for energies, forces and Hessian products."""
    a = found.accuracy
    shown: list[tuple[str, Quantity, float, str]] = [
        ("Relative energies", a.energy, MEV * 1000.0, "eV"),
        ("Force components", a.force, MEV * 1000.0, "eV/Å"),
    ]
    if a.product is not None:
        shown.append(("Hessian products", a.product, 1.0, "kcal/mol/Å²"))
    made = [_parity(title, q.reference / factor, q.student / factor, unit) for title, q, factor, unit in shown]
    return [figure for figure in made if figure is not None]


def frequencies_figure(one: Minimum) -> Figure | None:
    """Return frequencies of teacher against student."""
    return _parity(f"Frequencies of {one.name}", one.reference, one.student, "cm⁻¹") if len(one.reference) else None


def committee_figure(one: Committee | None) -> Figure | None:
    """Return calibrated spread against error."""
    if one is None:
        return None
    spread, error = (np.array(values) / MEV for values in zip(*one.bins, strict=True))
    return _parity("Calibrated spread against error", spread, error, "meV/Å", ("spread", "error"))


def _parity(
    title: str,
    reference: Float[np.ndarray, " values"],
    student: Float[np.ndarray, " values"],
    unit: str,
    names: tuple[str, str] = ("teacher", "student"),
) -> Figure | None:
    finite = np.isfinite(reference) & np.isfinite(student)
    there, here = reference[finite], student[finite]
    if not len(there):
        return None
    if len(there) > _MOST:
        # The outliers are what a reader looks for.
        drawn = np.random.default_rng(0).permutation(len(there))[:_MOST]
        worst = np.argsort(np.abs(here - there))[-_MOST // 20 :]
        kept = np.union1d(drawn, worst)
        there, here = there[kept], here[kept]
    both = np.concatenate([there, here])
    margin = 0.04 * (float(np.ptp(both)) or 1.0)
    low, high = float(both.min()) - margin, float(both.max()) + margin
    x = Scale(low, high, room_for_labels(low, high), _SIDE - 12.0)
    y = Scale(low, high, _SIDE - 44.0, 24.0)
    root = drawing(_SIDE, _SIDE, f"{title}: {names[0]} against {names[1]}; points on the diagonal agree.")
    axes(root, x, y, f"{names[0]} / {unit}", f"{names[1]} / {unit}")
    line(root, (x.begin, y.begin), (x.end, y.end), "diagonal")
    marks(root, x(there), y(here), "dot", "final")
    told = f"{plural(int(finite.sum()), 'value')}" + (
        f", {len(there)} of them shown" if len(there) < finite.sum() else ""
    )
    return Figure(title, drawn_text(root), f"{told}.")


def scan_figure(scan: BondScan) -> Figure:
    """Return the energy of a bond by its length."""
    student = scan.student - scan.student.min()
    known = np.isfinite(scan.reference)
    top = min(_HIGHEST, float(max(np.nanmax(student), np.nanmax(scan.reference, initial=0.0))))
    x = Scale(float(scan.lengths.min()), float(scan.lengths.max()), 52.0, _WIDTH - 10.0)
    y = Scale(-0.03 * top, 1.05 * top or 1.0, _HEIGHT - 44.0, 26.0)
    title = f"{scan.molecule}, {scan.bond}"
    root = drawing(_WIDTH, _HEIGHT, f"Energy by the length of {title}, teacher and student.")
    axes(root, x, y, "length / Å", "energy / kcal/mol")
    low = student <= 1.05 * top
    curve(root, x(scan.lengths[low]), y(student[low]), "curve final")
    shown = known & (np.nan_to_num(scan.reference, nan=np.inf) <= 1.05 * top)
    marks(root, x(scan.lengths[shown]), y(scan.reference[shown]), "ring", "reference")
    names: list[tuple[str, Mark, str]] = [("teacher", "ring", "reference")] if known.any() else []
    legend(root, x.end, 12.0, [*names, ("student", "dot", "final")])
    return Figure(title, drawn_text(root), "")


def worst_scans(found: Findings, n: int = 12) -> list[Figure]:
    """Return figures of the bonds that are worst, those with kinks and hills first."""

    def badness(scan: BondScan) -> tuple[bool, float]:
        known = np.isfinite(scan.reference)
        off = np.abs(scan.student - scan.student.min() - scan.reference)[known]
        return scan.smooth and scan.sound, -float(off.max(initial=0.0))

    return [scan_figure(scan) for scan in sorted(found.scans, key=badness)[:n]]


def distribution_figure(one: Distribution) -> Figure:
    """Return a distribution of teacher and student."""
    width = float(one.places[1] - one.places[0])
    there, here = one.reference / width, one.student / width
    x = Scale(float(one.places[0] - width), float(one.places[-1] + width), 60.0, _WIDTH - 10.0)
    y = Scale(0.0, 1.05 * float(max(there.max(), here.max())) or 1.0, _HEIGHT - 44.0, 26.0)
    title = f"{one.molecule}, {one.name}"
    root = drawing(_WIDTH, _HEIGHT, f"Distribution of {title} at {one.temperature:g} K, teacher and student.")
    axes(root, x, y, f"{'distance' if one.unit == 'Å' else 'torsion'} / {one.unit}", f"density / {one.unit}⁻¹")
    curve(root, x(one.places), y(there), "curve reference")
    curve(root, x(one.places), y(here), "curve final")
    legend(root, x.end, 12.0, [("teacher", "dot", "reference"), ("student", "dot", "final")])
    return Figure(
        title,
        drawn_text(root),
        f"{one.temperature:g} K; overlap {fixed(one.overlap, 3)}, attainable {fixed(one.attainable, 3)}.",
    )
