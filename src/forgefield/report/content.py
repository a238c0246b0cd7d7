"""The tables of a fit's report, from its record: units, digits and wording are decided here."""

import math
from itertools import groupby
from typing import Any

from forgefield import units
from forgefield.report.numerals import UNKNOWN, decimals_of, fixed, percent, plural, significant, visible
from forgefield.report.record import FitRecord
from forgefield.table import Column, Group, Table, table

_DECIMALS = {"Å": 4, "°": 2, "kcal/mol": 4, "kcal/mol/Å²": 2, "kcal/mol/rad²": 2}
"""Of parameters; others are shown with three."""
_OPTIMA = 20
"""Distinct ends of many starts that are listed."""
_SAME_COST = 1e-4
"""Costs that differ by less than this fraction are those of one optimum."""


def strain_table(molecules: list[dict[str, Any]]) -> Table | None:
    """Return the energy that stretches and bends hold in each molecule at rest; None without molecules."""
    places = ["relaxed structure" if m["strain"]["relaxed"] else "reference" for m in molecules]
    differ = len({*places}) > 1
    columns = (
        *(Column("Molecule", numeric=False), Column("Strain", "kcal/mol")),
        *((Column("At", numeric=False),) if differ else ()),
        *(Column("Most in", numeric=False), Column("Of it", "kcal/mol")),
    )
    rows = [
        (
            *(m["name"], visible(m["strain"]["energy"], 2)),
            *((place,) if differ else ()),
            *(m["strain"]["row"] or UNKNOWN, visible(m["strain"]["most"], 2)),
        )
        for m, place in zip(molecules, places, strict=True)
    ]
    where = "" if differ or not places else f" At the {places[0]}{'s' if len(places) > 1 else ''}."
    note = f"What stretches and bends hold where the forces balance: how far the rows fight each other.{where}"
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
        Column("MM, start", "cm⁻¹"),
        Column("MM, final", "cm⁻¹"),
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
            rows.append((molecule["name"], str(place + 1), *_mode(molecule["frequencies"][place])))
    note = "Left out of the figures and averages above. QM values are those after the transition-state policy."
    return table("Reaction modes", columns, rows, note) if rows else None


def _mode(mode: dict[str, float]) -> tuple[str, ...]:
    qm, mm = mode["qm"], mode["mm"]
    return *(fixed(one, 1) for one in (qm, mode["start"], mm, mm - qm)), fixed(mode["overlap"], 2)


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
    # The sum stays below whatever rows are sorted by.
    groups = Group("", tuple(rows)), Group("", (row("Total", (totals[0], totals[1])),))
    return Table("Contributions to the cost", columns, groups)


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
    unit, scale = units.shown(parameter["unit"])
    decimals = _DECIMALS.get(unit, 3)
    start, value, sigma, prior = (
        None if parameter[name] is None else parameter[name] / scale for name in ("start", "value", "sigma", "prior")
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
    looked = f"{plural(fit['evaluations'], 'evaluation')} of the cost, {fit['gradients']} with derivatives"
    looked += "" if fit["engine"] == "forgefield" else f", all by {fit['engine']}"
    return (
        f"{message}. {effort} ({looked}) took {fixed(fit['wall_s'], 1)} s: {fixed(fit['compile_s'], 1)} s to compile, "
        f"{fixed(fit['run_s'], 1)} s to run."
    )


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
