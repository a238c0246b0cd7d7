"""The tables of a fit's report, from its record: units, digits and wording are decided here."""

import math
from itertools import groupby
from typing import Any

from forgefield import units
from forgefield.report.numerals import UNKNOWN, decimals_of, fixed, percent, plural, significant, visible
from forgefield.report.record import FitRecord
from forgefield.table import Column, Group, Table, table

_NAME = Column("", numeric=False)
METRICS: dict[str, tuple[str, str, int]] = {
    "frequency_rmsd_cm1": ("Frequency RMSD, modes matched by overlap", "cm⁻¹", 1),
    "frequency_rmsd_sorted_cm1": ("Frequency RMSD, sorted by value", "cm⁻¹", 1),
    "eigenmatrix_rmsd_cm1": ("Eigenmatrix diagonal, RMSD", "cm⁻¹", 1),
    "eigenmatrix_r2": ("Eigenmatrix diagonal, R²", "", 4),
    "mode_overlap_share": ("Modes that overlap by more than 0.5", "", 1),
    "reaction_mode_cm1": ("Reaction mode (left out above)", "cm⁻¹", 1),
    "force_max_kcal_mol_a": ("Largest residual force on an atom", "kcal/mol/Å", 2),
    "bond_rmsd_a": ("Bond lengths, relaxed structure, RMSD", "Å", 4),
    "angle_rmsd_deg": ("Angles, relaxed structure, RMSD", "°", 2),
    "torsion_rmsd_deg": ("Torsions, relaxed structure, RMSD", "°", 2),
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
_DECIMALS = {"Å": 4, "°": 2, "kcal/mol": 4, "kcal/mol/Å²": 2, "kcal/mol/rad²": 2}
"""Of parameters; others are shown with three."""
_OPTIMA = 20
"""Distinct ends of many starts that are listed."""
_SAME_COST = 1e-4
"""Costs that differ by less than this fraction are those of one optimum."""


def metrics_table(results: dict[str, Any]) -> Table:
    """Return all metrics before and after the fit."""
    before, after = results["metrics"]["start"], results["metrics"]["final"]
    rows = [(label, unit, _metric(name, before), _metric(name, after)) for name, (label, unit, _) in METRICS.items()]
    columns = (_NAME, Column("Unit", numeric=False), Column("Start"), Column("Final"))
    return table("All molecules", columns, rows, "R² is dominated by the stiffest modes: read it beside the RMSD.")


def molecules_table(results: dict[str, Any]) -> Table | None:
    """Return the metrics of each molecule after the fit, those that any molecule has; None for a single molecule."""
    molecules = results["molecules"]
    shown = [name for name in METRICS if any(m.get(name) is not None for m in molecules)]
    if len(molecules) < 2 or not shown:
        return None
    columns = [Column("Molecule", numeric=False), Column("Atoms")]
    columns += [Column(_BRIEF[name], METRICS[name][1]) for name in shown]
    start = Column("Frequency RMSD, start", "cm⁻¹")
    rows = [
        (
            m["name"],
            str(m["atoms"]),
            _metric("frequency_rmsd_cm1", m.get("start", {})),
            *(_metric(name, m) for name in shown),
        )
        for m in molecules
    ]
    return table("Each molecule after the fit", (*columns[:2], start, *columns[2:]), rows)


def _metric(name: str, metrics: dict[str, Any]) -> str:
    """Return one metric as text. R² is never shown where there is no RMSD to read it beside."""
    value = metrics.get(name)
    if name == "mode_overlap_share":
        return percent(value)
    if name == "eigenmatrix_r2" and metrics.get("eigenmatrix_rmsd_cm1") is None:
        return UNKNOWN
    return visible(value, METRICS[name][2])


def strain_table(molecules: list[dict[str, Any]]) -> Table | None:
    """Return the energy that stretches and bends hold in each molecule at rest; None without molecules."""
    columns = (
        *(Column("Molecule", numeric=False), Column("Strain", "kcal/mol"), Column("At", numeric=False)),
        *(Column("Most in", numeric=False), Column("Of it", "kcal/mol")),
    )
    rows = [
        (
            m["name"],
            visible(m["strain"]["energy"], 2),
            "relaxed structure" if m["strain"]["relaxed"] else "reference",
            m["strain"]["row"] or UNKNOWN,
            visible(m["strain"]["most"], 2),
        )
        for m in molecules
    ]
    note = "What stretches and bends hold where the forces balance: how far the rows fight each other."
    return table("Strain", columns, rows, note) if rows else None


def row_geometry_table(rows: list[dict[str, Any]]) -> Table | None:
    """Return the reference values of trained rows beside the geometry that the rows cover; None where there is none."""
    columns = (
        *(Column("", numeric=False), Column("Interactions"), Column("Reference value"), Column("Drift")),
        *(Column("Mean"), Column("Smallest"), Column("Largest")),
    )
    groups = []
    for title, unit, decimals in (("Bonds, Å", "Å", 3), ("Angles, °", "°", 1)):
        shown = [
            (
                *(one["row"], str(one["interactions"]), fixed(one["reference"], decimals)),
                fixed(one["reference"] - one["mean"], decimals),
                *(fixed(one[name], decimals) for name in ("mean", "minimum", "maximum")),
            )
            for one in rows
            if one["unit"] == unit and one["trained"]
        ]
        groups += [Group(title, tuple(shown))] if shown else []
    note = "Lengths and angles are those of the references. Drift is the reference value minus their mean."
    return Table("Reference values and the molecules", columns, tuple(groups), note) if groups else None


def modes_table(molecule: dict[str, Any]) -> Table | None:
    """Return QM and MM frequencies of a molecule without its reaction mode; None without frequencies."""
    columns = (
        Column("Mode"),
        Column("QM", "cm⁻¹"),
        Column("MM", "cm⁻¹"),
        Column("MM\N{NO-BREAK SPACE}−\N{NO-BREAK SPACE}QM", "cm⁻¹"),
        Column("Overlap"),
    )
    rows = [
        (str(number), *_mode(mode))
        for number, mode in enumerate(molecule["frequencies"], start=1)
        if number - 1 != molecule.get("reaction_mode")
    ]
    return table(molecule["name"], columns, rows) if rows else None


def reaction_modes_table(molecules: list[dict[str, Any]]) -> Table | None:
    """Return the reaction modes of all transition states, QM after the policy; None where there is none."""
    columns = (
        Column("Transition state", numeric=False),
        Column("Mode"),
        Column("QM", "cm⁻¹"),
        Column("MM, start", "cm⁻¹"),
        Column("MM, final", "cm⁻¹"),
        Column("MM\N{NO-BREAK SPACE}−\N{NO-BREAK SPACE}QM", "cm⁻¹"),
        Column("Overlap"),
    )
    rows = []
    for molecule in molecules:
        place = molecule.get("reaction_mode")
        if place is not None:
            qm, mm, difference, overlap = _mode(molecule["frequencies"][place])
            before = _metric("reaction_mode_cm1", molecule.get("start", {}))
            rows.append((molecule["name"], str(place + 1), qm, before, mm, difference, overlap))
    note = "Left out of the figures and averages above. QM values are those after the transition-state policy."
    return table("Reaction modes", columns, rows, note) if rows else None


def _mode(mode: dict[str, float]) -> tuple[str, str, str, str]:
    qm, mm = mode["qm"], mode["mm"]
    return fixed(qm, 1), fixed(mm, 1), fixed(mm - qm, 1), fixed(mode["overlap"], 2)


def targets_table(targets: list[dict[str, Any]]) -> Table | None:
    """Return what was fitted to, and how far the model is from it before and after; None where that is not known."""
    columns = (
        *(Column("Target", numeric=False), Column("Unit", numeric=False), Column("Tolerance"), Column("Weight")),
        *(Column("Values"), Column("Independent"), Column("RMS, start"), Column("RMS, final")),
    )
    rows = [
        (
            *(one["name"], one["unit"], f"{one['tolerance']:g}", f"{one['weight']:g}"),
            *(str(one["values"]), str(one["independent"])),
            *(significant(one[when], 4) for when in ("rms_start", "rms_final")),
        )
        for one in targets
    ]
    note = "Root of the weighted mean square deviation, in the unit of the target."
    return table("Targets", columns, rows, note) if rows else None


def contributions_table(contributions: dict[str, tuple[float, float]]) -> Table:
    """Return what each target adds to the cost, before and after, with the sum."""
    columns = (Column("Target", numeric=False), Column("Start"), Column("Share"), Column("Final"), Column("Share"))
    totals = [math.fsum(pair[k] for pair in contributions.values()) for k in (0, 1)]
    decimals = [decimals_of(whole, 4) for whole in totals]

    def row(name: str, pair: tuple[float, float]) -> tuple[str, ...]:
        shares = [percent(part / whole) if whole > 0.0 else UNKNOWN for part, whole in zip(pair, totals, strict=True)]
        before, after = (fixed(part, places) for part, places in zip(pair, decimals, strict=True))
        return name, before, shares[0], after, shares[1]

    rows = [row(name, pair) for name, pair in contributions.items()]
    return table("Contributions to the cost", columns, [*rows, row("Total", (totals[0], totals[1]))])


def parameters_table(parameters: list[dict[str, Any]], title: str) -> Table:
    """Return parameters by term and unit: start, value, standard deviation, width of the prior, bound hits."""
    columns = (
        Column("Parameter", numeric=False),
        Column("Start"),
        Column("Value"),
        Column("Sigma"),
        Column("Prior width"),
        Column("Remarks", numeric=False),
    )

    def key(parameter: dict[str, Any]) -> tuple[str, str]:
        return parameter["term"], parameter["unit"]

    # Terms keep the order of the force field; within a term, constants come before reference values.
    terms = list(dict.fromkeys(p["term"] for p in parameters))
    found = list(dict.fromkeys(key(p) for p in parameters))
    ordered = sorted(parameters, key=lambda p: (terms.index(p["term"]), found.index(key(p))))
    groups = [
        Group(_group_title(*kind), tuple(_parameter(p) for p in members)) for kind, members in groupby(ordered, key=key)
    ]
    return Table(title, columns, tuple(groups))


def _group_title(term: str, unit: str) -> str:
    shown = {"rad": "degrees (°)", "": "no unit", "1": "no unit"}.get(unit, unit)
    return f"{term.replace('_', ' ')}, {shown}"


def _parameter(parameter: dict[str, Any]) -> tuple[str, ...]:
    """Return one row. Angles are shown in degrees, sigma with two digits since it is known no better."""
    in_degrees = parameter["unit"] == "rad"
    decimals = _DECIMALS.get("°" if in_degrees else parameter["unit"], 3)
    start, value, sigma, prior = (
        None if parameter[name] is None else parameter[name] / (units.DEGREE if in_degrees else 1.0)
        for name in ("start", "value", "sigma", "prior")
    )
    return (
        parameter["name"],
        visible(start, decimals),
        visible(value, decimals),
        significant(sigma, 2),
        significant(prior, 3),
        "at bound" if parameter["at_bound"] else "not determined" if parameter["determined"] is False else "",
    )


def optima_table(record: FitRecord) -> Table | None:
    """Return the distinct ends of a multi-start fit; None for a single start."""
    n_starts = record.results["fit"]["starts"]
    if n_starts < 2:
        return None
    columns = (Column("Optimum"), Column("Cost"), Column("Relative to the best"), Column("Starts"), Column("Converged"))
    best = record.optima[0].cost if record.optima else math.nan
    rows = [
        (
            str(place),
            fixed(optimum.cost, decimals_of(best, 5)),
            fixed(optimum.cost / best, 3) if best > 0.0 else UNKNOWN,
            str(optimum.n_starts),
            str(optimum.n_converged),
        )
        for place, optimum in enumerate(record.optima[:_OPTIMA], start=1)
    ]
    more = len(record.optima) - len(rows)
    told = [
        *_about_starts(record, n_starts, best),
        *([f"The {more} with the highest costs are not listed."] if more else []),
    ]
    return table(f"{plural(n_starts, 'start')} led to {_optima(len(record.optima))}", columns, rows, " ".join(told))


def coverage_table(record: FitRecord) -> Table | None:
    """Return where the rows of a force-field file's interactions stand; None for a generated force field."""
    if not record.coverage:
        return None
    columns = (Column("Interactions", numeric=False), Column("Substructure"), Column("Main table"), Column("No row"))
    rows = [(c.kind, str(c.substructure), str(c.table), str(c.uncovered)) for c in record.coverage]
    return table(
        "Coverage", columns, rows, "Interactions without a row do not exist; stretches and bends always have one."
    )


def _about_starts(record: FitRecord, n_starts: int, best: float) -> list[str]:
    """Return what is not seen from the table: starts without an end, and passes that followed."""
    said = []
    lost = n_starts - sum(optimum.n_starts for optimum in record.optima)
    if lost > 0:
        said.append(f"{plural(lost, 'start')} ended without a finite cost.")
    cost = record.results["fit"]["cost"]
    if abs(cost - best) > _SAME_COST * abs(best):
        said.append(
            "These are the ends of the first pass; the passes that the transition-state policy asks for went on "
            f"from the best and ended at a cost of {significant(cost, 5)}."
        )
    return said


def _optima(n: int) -> str:
    return "one optimum" if n == 1 else f"{n} distinct optima"


def types_table(types: dict[str, str]) -> Table | None:
    """Return the generated atom types and what they stand for; None where there are none."""
    columns = (Column("Type", numeric=False), Column("Stands for", numeric=False))
    return table("Generated atom types", columns, list(types.items())) if types else None


def verdict(record: FitRecord) -> str:
    """Say in a sentence or two how the fit ended, and what it lacks for a success."""
    fit = record.results["fit"]
    if not fit["success"]:
        return f"The fit did not succeed: {fit['reason']}" if fit["reason"] else "The fit did not succeed."
    loose = sum(one["determined"] is False for one in record.results["parameters"])
    told = [f"{plural(loose, 'parameter')} not determined"] if loose else []
    if warned := len(record.results["warnings"]):
        told.append(f"{plural(warned, 'warning')} to read before its result is used")
    return f"The fit succeeded, with {' and '.join(told)}." if told else "The fit succeeded."


def ending(record: FitRecord) -> str:
    """Say how the fit ended, after what effort."""
    fit = record.results["fit"]
    message = f"{fit['message'][:1].upper()}{fit['message'][1:]}".rstrip(".")
    effort = f"{plural(fit['iterations'], 'iteration')} from {plural(fit['starts'], 'start')}"
    return f"{message}. {effort} took {fixed(fit['wall_s'], 1)} s, compiling included ({fixed(fit['compile_s'], 1)} s)."


def provenance_rows(provenance: dict[str, Any]) -> list[tuple[str, str]]:
    """Return labels and values of what ran."""
    labels = {
        "version": "ForgeField",
        "input_sha256": "Input SHA-256",
        "packages": "Packages",
        "device": "Device",
        "precision": "Precision",
    }

    def text(value: Any) -> str:
        return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)

    return [(labels.get(name, name), text(value)) for name, value in provenance.items()]
