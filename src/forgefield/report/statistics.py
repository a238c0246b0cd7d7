"""The tables of a fit's report on what the data determine, and on how it does on molecules it has not seen."""

from typing import Any

from forgefield import units
from forgefield.report.numerals import UNKNOWN, fixed, plural, significant, visible
from forgefield.report.quality import METRICS, metric
from forgefield.table import Column, Table, table

_VALIDATED = tuple(name for name in METRICS if name not in ("mode_overlap_share", "reaction_mode_cm1"))


def identifiability_tables(results: dict[str, Any]) -> list[Table]:
    """Return what the data determine: counts, the directions they leave open, and strong correlations."""
    found = results.get("identifiability")
    if not found:
        return []
    singular = found["singular_values"]
    rows = [
        ("Free variables", str(found["n_free"])),
        ("Of these at a bound", str(found["n_at_bound"])),
        ("Independent values in the data", str(found["n_values"])),
        ("Effective parameters, determined by the data", fixed(found["n_effective"], 1)),
        ("Combinations that nothing determines", str(found["n_undetermined"])),
        ("Combinations that the prior determines more than the data", str(found["n_ruled_by_prior"])),
        ("Largest singular value", significant(singular[0], 3) if singular else UNKNOWN),
        ("Smallest singular value", significant(singular[-1], 3) if singular else UNKNOWN),
        ("Condition number", "∞" if found["condition"] is None else significant(found["condition"], 3)),
    ]
    note = "Of the Jacobian of the residuals, by variables in units of their prior widths; variables at a bound aside."
    columns = (Column("", numeric=False), Column("Value"))
    tables = [table("What the data determine", columns, rows, note)]
    more = _directions(found), _correlated(found), _sensitivities(results.get("sensitivities", []))
    return [*tables, *(one for one in more if one is not None)]


def _directions(found: dict[str, Any]) -> Table | None:
    columns = (Column("Singular value"), Column("Determined by", numeric=False), Column("Combination", numeric=False))
    rows = [
        (significant(one["singular_value"], 3), one["determined_by"], _combination(one["combination"]))
        for one in found["directions"]
    ]
    more = found["n_undetermined"] + found["n_ruled_by_prior"] - len(rows)
    note = f"{plural(more, 'more combination')} not shown." if more > 0 else ""
    return table("Combinations of parameters that the data leave open", columns, rows, note) if rows else None


def _sensitivities(found: list[dict[str, Any]]) -> Table | None:
    columns = (
        Column("Parameter", numeric=False),
        Column("d1"),
        Column("d2"),
        Column("d2/d1²"),
        Column("Cycles in the simplex"),
    )
    rows = [
        (
            one["name"],
            significant(one["first"], 3),
            significant(one["second"], 3),
            UNKNOWN if one["ratio"] is None else significant(one["ratio"], 3),
            str(one["chosen"]),
        )
        for one in found
    ]
    note = "Derivatives of the cost by each parameter alone, in its prior width, before the last simplex."
    return table("Sensitivities", columns, rows, note) if rows else None


def _combination(parts: list[dict[str, Any]]) -> str:
    """Return a combination such as `0.89 stretch C1-F1 r0 − 0.45 bend F1-C1-H1 theta0`."""
    said = f"{fixed(parts[0]['coefficient'], 2)} {parts[0]['name']}"
    for part in parts[1:]:
        sign = "−" if part["coefficient"] < 0.0 else "+"
        said += f" {sign} {fixed(abs(part['coefficient']), 2)} {part['name']}"
    return said


def _correlated(found: dict[str, Any]) -> Table | None:
    columns = (Column("Parameter", numeric=False), Column("With", numeric=False), Column("Correlation"))
    rows = [(one["first"], one["second"], fixed(one["correlation"], 3)) for one in found["correlated"]]
    more = found["n_correlated"] - len(rows)
    note = "The data tell these apart hardly or not at all." + (
        f" {plural(more, 'more pair')} not shown." if more > 0 else ""
    )
    title = f"Pairs of parameters correlated by {fixed(found['correlation_threshold'], 2)} or more"
    return table(title, columns, rows, note) if rows else None


def validation_tables(results: dict[str, Any]) -> list[Table]:
    """Return how the fit does beyond what it was fitted to; none where it was not validated."""
    validation = results.get("validation")
    if not validation or not validation["possible"]:
        return []
    tables = [_improvements(validation), _left_out(validation), _samples(validation)]
    return [one for one in tables if one is not None]


def _improvements(validation: dict[str, Any]) -> Table:
    columns = [Column("Better than the estimate by", numeric=False)]
    columns += [Column(label, numeric=False) for label in ("Molecules left out", "Lacking in samples", "Fitted to")]
    kinds = "left_out", "out_of_bag", "fitted"
    rows = [
        (
            "Cost" if name == "cost" else METRICS[name].brief,
            *(UNKNOWN if (v := three[k]["verdict"]) == "unknown" else v for k in kinds),
        )
        for name, three in validation["improvement"].items()
        if any(three[k]["value"] is not None for k in kinds)
    ]
    note = (
        f"Intervals hold {100.0 * validation['level']:.0f} % of the samples of molecules; significant: they exclude "
        "zero. On what it is fitted to, the cost of a fit is never above that of its start."
    )
    return table("Improvement over the estimate", tuple(columns), rows, note)


def _left_out(validation: dict[str, Any]) -> Table | None:
    """Return each molecule at the estimate of the others, in their fit, and in the fit of all."""
    found = validation["leave_one_out"]
    if not found["molecules"]:
        return None
    shown = [name for name in _VALIDATED if any(m["left_out"][name] is not None for m in found["molecules"])]
    columns = [Column("Molecule", numeric=False)]
    columns += [Column(f"Cost, {label}") for label in ("estimate", "left out", "fitted")]
    for name in shown:
        columns += [Column(f"{METRICS[name].brief}, {label}", METRICS[name].unit) for label in ("left out", "fitted")]
    columns += [Column("Rows of its own"), Column("", numeric=False)]
    rows = []
    for molecule in found["molecules"]:
        cost = (significant(molecule["cost"][side], 4) for side in ("start", "left_out", "fitted"))
        state = "" if molecule["converged"] else "not converged"
        rows.append((molecule["name"], *cost, *_both(molecule, shown), str(len(molecule["unseen"])), state))
    if found["left_out"] is not None:
        rows.append(("All together", *3 * (UNKNOWN,), *_both(found, shown), "", ""))
    note = (
        "Each molecule in the fit of all others, from their own estimate. Rows of its own: that no other molecule has, "
        "so that nothing else determines them."
    )
    return table("Molecules left out of the fit", tuple(columns), rows, note)


def _both(found: dict[str, Any], shown: list[str]) -> list[str]:
    return [metric(name, found[side]) for name in shown for side in ("left_out", "fitted")]


def _samples(validation: dict[str, Any]) -> Table | None:
    found = validation["bootstrap"]
    shown = [name for name in _VALIDATED if found["out_of_bag"][name] or found["fitted"][name]]
    if not shown:
        return None
    columns = (
        Column("", numeric=False),
        Column("Unit", numeric=False),
        Column("Molecules in the samples", numeric=False),
        Column("Lacking in them", numeric=False),
    )
    rows = [
        (
            METRICS[name].brief,
            METRICS[name].unit,
            *(_range(found[kind][name], name) for kind in ("fitted", "out_of_bag")),
        )
        for name in shown
    ]
    note = (
        f"{plural(found['finished'], 'sample')} of the molecules, drawn with replacement, fitted from the optimum; "
        f"{found['converged']} converged. Mean and {100.0 * validation['level']:.0f} % interval."
    )
    return table("Bootstrap over molecules", columns, rows, note)


def _range(found: dict[str, float] | None, name: str) -> str:
    if found is None:
        return UNKNOWN
    decimals = METRICS[name].decimals
    low, high = visible(found["low"], decimals), visible(found["high"], decimals)
    return f"{visible(found['mean'], decimals)} ({low} to {high})"


def jackknife_table(results: dict[str, Any]) -> Table | None:
    """Return standard deviations of parameters by leaving molecules out, beside those of the fit."""
    found = (results.get("validation") or {}).get("jackknife")
    if not found or not found["parameters"]:
        return None
    by_fit = {one["name"]: one["sigma"] for one in results["parameters"]}
    columns = (
        Column("Parameter", numeric=False),
        Column("Unit", numeric=False),
        Column("Jackknife"),
        Column("Sigma of the fit"),
    )
    rows = []
    for one in found["parameters"]:
        unit, scale = units.shown(one["unit"])
        sigmas = (None if s is None else s / scale for s in (one["sigma"], by_fit.get(one["name"])))
        rows.append((one["name"], unit, *(significant(s, 2) for s in sigmas)))
    note = (
        f"From the fits without each of {found['molecules']} molecules; a dash where only one molecule has the row. "
        "Much above the sigma of the fit: molecules disagree by more than the residuals say."
    )
    return table("Standard deviations by the delete-one-molecule jackknife", columns, rows, note)
