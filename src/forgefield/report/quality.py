"""The tables that say how good a fit is: metrics, molecules and targets, before and after, beside tolerances."""

from typing import Any

from forgefield.report.numerals import UNKNOWN, fixed, percent, significant, visible
from forgefield.table import Column, Group, Table, table

METRICS: dict[str, tuple[str, str, int]] = {
    "frequency_rmsd_cm1": ("Frequency RMSD, matched modes", "cm⁻¹", 1),
    "frequency_rmsd_sorted_cm1": ("Frequency RMSD, sorted by value", "cm⁻¹", 1),
    "eigenmatrix_rmsd_cm1": ("Eigenmatrix diagonal, RMSD", "cm⁻¹", 1),
    "eigenmatrix_r2": ("Eigenmatrix diagonal, R²", "", 4),
    "mode_overlap_share": ("Modes that overlap by over 0.5", "", 3),
    "reaction_mode_cm1": ("Reaction mode (left out above)", "cm⁻¹", 1),
    "force_max_kcal_mol_a": ("Largest residual force on an atom", "kcal/mol/Å", 2),
    "bond_rmsd_a": ("Bond lengths, relaxed, RMSD", "Å", 4),
    "angle_rmsd_deg": ("Angles, relaxed, RMSD", "°", 2),
    "torsion_rmsd_deg": ("Torsions, relaxed, RMSD", "°", 2),
    "energy_rmsd_kcal_mol": ("Relative energies, RMSD", "kcal/mol", 2),
    "charge_rmsd_e": ("Atomic charges, RMSD", "e", 3),
}
_BRIEF = {
    "frequency_rmsd_cm1": "Frequency RMSD, final",
    "frequency_rmsd_sorted_cm1": "Sorted",
    "eigenmatrix_rmsd_cm1": "Eigenmatrix RMSD",
    "eigenmatrix_r2": "Eigenmatrix R²",
    "mode_overlap_share": "Overlap > 0.5",
    "reaction_mode_cm1": "Reaction mode",
    "force_max_kcal_mol_a": "Largest force",
    "bond_rmsd_a": "Bond RMSD",
    "angle_rmsd_deg": "Angle RMSD",
    "torsion_rmsd_deg": "Torsion RMSD",
    "energy_rmsd_kcal_mol": "Energy RMSD",
    "charge_rmsd_e": "Charge RMSD",
}
_TARGETS = {
    "frequency_rmsd_cm1": "frequencies",
    "frequency_rmsd_sorted_cm1": "frequencies",
    "eigenmatrix_rmsd_cm1": "eigenmatrix",
    "force_max_kcal_mol_a": "forces",
    "bond_rmsd_a": "bond_length",
    "angle_rmsd_deg": "bond_angle",
    "torsion_rmsd_deg": "torsion",
    "energy_rmsd_kcal_mol": "energy",
    "charge_rmsd_e": "charges",
}
"""The target whose deviations each metric is about."""
_MORE_IS_BETTER = ("eigenmatrix_r2", "mode_overlap_share")
_NEITHER = ("reaction_mode_cm1",)
_MARK = "▲"
_MEANING = f"{_MARK} worse than at the start."
_SLIGHT = 0.1
"""Share of its tolerance by which a value may rise without being called worse."""


def metrics_table(results: dict[str, Any]) -> Table:
    """Return the metrics that are known, before and after the fit, beside the tolerances of their targets.

    Those of molecules that are left out of the fit stand apart.
    """
    pairs = [results["metrics"], *([results["left_out"]] if results.get("left_out") else [])]
    rows = []
    for name, (label, unit, _) in METRICS.items():
        shown = [metric(name, pair[when]) for pair in pairs for when in ("start", "final")]
        if any(cell != UNKNOWN for cell in shown):
            allowed = _tolerance(name, results["targets"])
            shown[1] = _marked(name, pairs[0]["start"], pairs[0]["final"], allowed)
            rows.append((label, *shown, f"{allowed:g}" if allowed else "", unit))
    apart = (Column("Left out, start"), Column("Left out, final")) if len(pairs) > 1 else ()
    columns = (
        *(Column("", numeric=False), Column("Start"), Column("Final"), *apart),
        *(Column("Tolerance"), Column("Unit", numeric=False)),
    )
    note = "R² is dominated by the stiffest modes: read it beside the RMSD."
    note += " Molecules of weight 0 are left out of the fit." if apart else ""
    note += f" {_MEANING}" if any(row[2].startswith(_MARK) for row in rows) else ""
    return table("All molecules" if not apart else "Molecules that are fitted to", columns, rows, note)


def molecules_table(results: dict[str, Any]) -> Table | None:
    """Return the metrics of each molecule that has any after the fit; None for a single molecule."""
    told = [m for m in results["molecules"] if any(m.get(name) is not None for name in METRICS)]
    shown = [name for name in METRICS if any(m.get(name) is not None for m in told)]
    if len(results["molecules"]) < 2 or not told:
        return None
    columns = [Column("Molecule", numeric=False), Column("Atoms")]
    columns += [Column(_BRIEF[name], METRICS[name][1]) for name in shown]
    start = Column("Frequency RMSD, start", "cm⁻¹")

    def row(m: dict[str, Any]) -> tuple[str, ...]:
        before = m.get("start", {})
        cells = [_marked(name, before, m, _tolerance(name, results["targets"])) for name in shown]
        return m["name"], str(m["atoms"]), metric("frequency_rmsd_cm1", before), *cells

    fitted = tuple(row(m) for m in told if m["weight"] > 0.0)
    left_out = tuple(row(m) for m in told if m["weight"] == 0.0)
    groups = [Group("Fitted to", fitted), Group("Left out of the fit (weight 0)", left_out)]
    groups = groups if left_out else [Group("", fitted)]
    marked = any(_MARK in cell for group in groups for cells in group.rows for cell in cells)
    note = _MEANING if marked else ""
    return Table("Each molecule after the fit", (*columns[:2], start, *columns[2:]), tuple(groups), note)


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
    note = "Root of the weighted mean square deviation, in the unit of the target."
    note += f" {_MEANING}" if any(row[2].startswith(_MARK) for row in rows) else ""
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
    return visible(value, METRICS[name][2])


def _tolerance(name: str, targets: list[dict[str, Any]]) -> float | None:
    return tolerance_of(_TARGETS[name], targets) if name in _TARGETS else None


def _marked(name: str, before: dict[str, Any], after: dict[str, Any], allowed: float | None) -> str:
    """Return a metric after the fit, with a mark where it is worse than before by what its digits can show."""
    cell, old, new = metric(name, after), before.get(name), after.get(name)
    if name in _NEITHER or UNKNOWN in (cell, metric(name, before)) or old is None or new is None:
        return cell
    risen = old - new if name in _MORE_IS_BETTER else new - old
    seen = fixed(old, METRICS[name][2]) != fixed(new, METRICS[name][2])
    return f"{_MARK} {cell}" if seen and risen > _SLIGHT * (allowed or 0.0) else cell
