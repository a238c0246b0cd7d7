"""The tables that say how good a fit is: metrics, molecules and targets, before and after, beside tolerances."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from forgefield.report.numerals import UNKNOWN, fixed, percent, significant, visible
from forgefield.table import Column, Group, Table, table


@dataclass(frozen=True)
class Measure:
    """A metric as tables show it."""

    label: str
    brief: str
    """Above a narrow column."""
    unit: str
    decimals: int
    target: str = ""
    """Whose deviations it is about."""
    more_is_better: bool | None = False
    """None where neither is."""


METRICS = {
    "frequency_rmsd_cm1": Measure("Frequency RMSD, matched modes", "Frequency RMSD", "cm⁻¹", 1, "frequencies"),
    "frequency_rmsd_sorted_cm1": Measure(
        "Frequency RMSD, sorted by value", "Frequency RMSD, sorted", "cm⁻¹", 1, "frequencies"
    ),
    "eigenmatrix_rmsd_cm1": Measure("Eigenmatrix diagonal, RMSD", "Eigenmatrix RMSD", "cm⁻¹", 1, "eigenmatrix"),
    "eigenmatrix_r2": Measure("Eigenmatrix diagonal, R²", "Eigenmatrix R²", "", 4, more_is_better=True),
    "mode_overlap_share": Measure("Modes that overlap by over 0.5", "Overlap > 0.5", "", 3, more_is_better=True),
    "reaction_mode_cm1": Measure("Reaction mode (left out above)", "Reaction mode", "cm⁻¹", 1, more_is_better=None),
    "force_max_kcal_mol_a": Measure("Largest residual force on an atom", "Largest force", "kcal/mol/Å", 2, "forces"),
    "bond_rmsd_a": Measure("Bond lengths, relaxed, RMSD", "Bond RMSD", "Å", 4, "bond_length"),
    "angle_rmsd_deg": Measure("Angles, relaxed, RMSD", "Angle RMSD", "°", 2, "bond_angle"),
    "torsion_rmsd_deg": Measure("Torsions, relaxed, RMSD", "Torsion RMSD", "°", 2, "torsion"),
    "energy_rmsd_kcal_mol": Measure("Relative energies, RMSD", "Energy RMSD", "kcal/mol", 2, "energy"),
    "charge_rmsd_e": Measure("Atomic charges, RMSD", "Charge RMSD", "e", 3, "charges"),
}
_MARK = "▲"
_SLIGHT = 0.1
"""Share of its tolerance by which a value may rise without being called worse."""


def metrics_table(results: dict[str, Any]) -> Table:
    """Return the metrics that are known, before and after the fit, beside the tolerances of their targets.

    Those of molecules that are left out of the fit stand apart.
    """
    pairs = [results["metrics"], *([results["left_out"]] if results.get("left_out") else [])]
    rows = []
    for name, one in METRICS.items():
        shown = [metric(name, pair[when]) for pair in pairs for when in ("start", "final")]
        if any(cell != UNKNOWN for cell in shown):
            allowed = _tolerance(name, results["targets"])
            shown[1] = _marked(name, pairs[0]["start"], pairs[0]["final"], allowed)
            rows.append((one.label, *shown, f"{allowed:g}" if allowed else "", one.unit))
    apart = (Column("Left out, start"), Column("Left out, final")) if len(pairs) > 1 else ()
    columns = (
        *(Column("", numeric=False), Column("Start"), Column("Final"), *apart),
        *(Column("Tolerance"), Column("Unit", numeric=False)),
    )
    note = "R² is dominated by the stiffest modes: read it beside the RMSD. "
    note += "Molecules of weight 0 are left out of the fit. " if apart else ""
    title = "Molecules that are fitted to" if apart else "All molecules"
    return table(title, columns, rows, f"{note}{_meaning(rows)}".rstrip())


def molecules_table(results: dict[str, Any]) -> Table | None:
    """Return the metrics of each molecule that has any after the fit; None for a single molecule."""
    told = [m for m in results["molecules"] if any(m.get(name) is not None for name in METRICS)]
    shown = [name for name in METRICS if any(m.get(name) is not None for m in told)]
    if len(results["molecules"]) < 2 or not told:
        return None
    columns = [Column("Molecule", numeric=False), Column("Atoms"), Column("Frequency RMSD, start", "cm⁻¹")]
    columns += [Column(METRICS[name].brief, METRICS[name].unit) for name in shown]

    def row(m: dict[str, Any]) -> tuple[str, ...]:
        before = m.get("start", {})
        cells = [_marked(name, before, m, _tolerance(name, results["targets"])) for name in shown]
        return m["name"], str(m["atoms"]), metric("frequency_rmsd_cm1", before), *cells

    fitted = tuple(row(m) for m in told if m["weight"] > 0.0)
    left_out = tuple(row(m) for m in told if m["weight"] == 0.0)
    groups = [Group("Fitted to", fitted), Group("Left out of the fit (weight 0)", left_out)]
    groups = groups if left_out else [Group("", fitted)]
    return Table("Each molecule after the fit", tuple(columns), tuple(groups), _meaning([*fitted, *left_out]))


def targets_table(targets: list[dict[str, Any]]) -> Table | None:
    """Return what was fitted to, and how far the model is from it before and after; None where that is not known."""
    columns = (
        *(Column("Target", numeric=False), Column("RMS, start"), Column("RMS, final"), Column("In tolerances")),
        *(Column("Tolerance"), Column("Unit", numeric=False)),
        *(Column("Weight"), Column("Values"), Column("Independent")),
    )
    rows = []
    for one in targets:
        before, after, allowed = one["rms_start"], one["rms_final"], one["tolerance"]
        risen = None not in (before, after) and after > before + _SLIGHT * allowed
        rows.append(
            (
                *(one["name"], significant(before, 4)),
                f"{_MARK} {significant(after, 4)}" if risen else significant(after, 4),
                UNKNOWN if after is None else significant(after / allowed, 2),
                *(f"{allowed:g}", one["unit"], f"{one['weight']:g}"),
                *(str(one["values"]), str(one["independent"])),
            )
        )
    note = f"Root of the weighted mean square deviation, in the unit of the target. {_meaning(rows)}".rstrip()
    return table("Targets", columns, rows, note) if rows else None


def tolerance_of(target: str, targets: list[dict[str, Any]]) -> float | None:
    """Return the tolerance of a target, at the reference geometries or at relaxed structures; None if not asked for."""
    return next((one["tolerance"] for one in targets if one["name"] in (target, f"{target}, relaxed")), None)


def metric(name: str, metrics: dict[str, Any]) -> str:
    """Return one metric as text. R² is never shown where there is no RMSD to read it beside."""
    value = metrics.get(name)
    if name == "mode_overlap_share":
        return percent(value)
    if name == "eigenmatrix_r2" and metrics.get("eigenmatrix_rmsd_cm1") is None:
        return UNKNOWN
    return visible(value, METRICS[name].decimals)


def _meaning(rows: Sequence[tuple[str, ...]]) -> str:
    """Return what the mark means where any cell has it."""
    return f"{_MARK} worse than at the start." if any(_MARK in cell for row in rows for cell in row) else ""


def _tolerance(name: str, targets: list[dict[str, Any]]) -> float | None:
    return tolerance_of(METRICS[name].target, targets)


def _marked(name: str, before: dict[str, Any], after: dict[str, Any], allowed: float | None) -> str:
    """Return a metric after the fit, with a mark where it is worse than before by what its digits can show."""
    cell, old, new, one = metric(name, after), before.get(name), after.get(name), METRICS[name]
    if one.more_is_better is None or UNKNOWN in (cell, metric(name, before)) or old is None or new is None:
        return cell
    risen = old - new if one.more_is_better else new - old
    seen = fixed(old, one.decimals) != fixed(new, one.decimals)
    return f"{_MARK} {cell}" if seen and risen > _SLIGHT * (allowed or 0.0) else cell
