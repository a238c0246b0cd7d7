"""The page of the documentation that the figures of the published systems make."""

import tomllib
from typing import Any

from published_oracles import CISPLATIN
from published_systems import SYSTEMS, System
from published_verdict import OPEN, RULE

from forgefield.report.numerals import UNKNOWN, fixed, percent, significant, with_unit

Figures = dict[str, Any]

_STRUCTURE = {
    "bond_rmsd_a": ("bonds", 4, "Å"),
    "angle_rmsd_deg": ("angles", 2, "°"),
    "torsion_rmsd_deg": ("torsions", 2, "°"),
    "relaxed_energy_rmsd_kcal_mol": ("energies", 3, "kcal/mol"),
}
"""What a fit may pay with, of relaxed structures: name, decimals and unit."""
_ADVICE = ". Of the cost"
"""Where a fit that is no success begins to say what to do."""
_WORSE = 1.1
"""A figure so many times that of the start is told of."""

_HEAD = """# Published force fields, fitted anew

What others have published, as a force field or as references, evaluated and fitted by ForgeField. This page is
written by

    python benchmarks/published.py OUTPUT                              # measures what OUTPUT does not hold yet
    python benchmarks/published.py OUTPUT --page docs/published.md

No figure of ours on it is typed by hand; those of others stand in `benchmarks/published_systems.py` with what
they mean. The reference data are not part of the source. Where an MM3* file is fitted, all rows of the substructures
that its `train` names are trained, and bond moments are tied to the lengths that change (`[[forcefield.ties]]`), so
that charges stay and the cost is a quadratic form.
"""
_QUALITY = """\
Each system twice: at what the fit starts from, and after it. *Matched*: frequency RMSD with modes matched by
overlap and translations and rotations projected out; *sorted*: the same by rank. *By q2mm*: by rank, modes below
50 cm⁻¹ left out, nothing projected out, as q2mm reports it: where forces are left at the reference geometry,
rotations are no zeros, and one above 50 cm⁻¹ shifts all pairs; so it compares with q2mm's figures and says little
else. Reaction modes of transition states are left out of the first two and of R², which is that of the
eigenmatrix's diagonal. Bonds, angles and torsions are those of relaxed structures against the reference's.
Energies *here* are those of the reference geometries, where these are fitted to, and *relaxed* those of relaxed
structures, relative to the mean of their group; *lost*: molecules without a relaxed structure, which are left out
of these. *Force*: the largest deviation of the force on an atom at the reference geometry.
"""
_SANE = """\
*Negative*: trained constants of stretches and bends below zero, of all. *Unphysical*: how many parameters of
trained rows no molecule has: negative or far too stiff constants, reference values 0.15 Å or 20° from the
molecules.
"""
_TIME = """\
Times are of the processor in seconds, compilation included, on a machine that did other work beside: a fit as
`forgefield fit` runs it with relaxed structures and report, then all refits of the resampling.
"""
_CISPLATIN = """\
MacroModel's own MM3* Hessian of cisplatin, printed by Farrugia et al. 2025 (QFUERZA) in the modes of the QM
Hessian for four stages of their force field, against ours of the same files. The QM modes are printed rounded,
which is worth 0.1 to 0.5 % of a frequency. Beside it: frequencies against those of QM by rank, since the Hessian
itself is not public; for that reason there is no fit of ours.
"""
_BINAP = """\
Conformers of two Rh-BINAP complexes that MacroModel minimised with the published field, with its energies: a
right implementation has next to no gradient there, and the same relative energies. Van der Waals ends at 8 Å, as
in MacroModel.
"""


def page(found: dict[str, Figures]) -> str:
    """Return the page; systems without figures are left out of its tables and named."""
    fits = [(system, found[system.name]) for system in SYSTEMS if system.name in found]
    lacking = [name for name in (*(one.name for one in SYSTEMS), "cisplatin", "rh-binap") if name not in found]
    parts = [_HEAD, "## Is a fit better?\n", verdicts(fits), *undecided(fits), "\n### How that is decided\n", RULE]
    parts += [
        "\n## How good it is\n",
        _QUALITY,
        quality(fits),
        *paid(fits),
        "\n## Is it physical?\n",
        _SANE,
        sanity(fits),
    ]
    parts += ["\n## Time\n", _TIME, times(found, fits), "\n## What others report\n", *map(others, fits)]
    if "cisplatin" in found:
        parts += ["\n## Oracle: frequencies of cisplatin\n", _CISPLATIN, cisplatin(found["cisplatin"])]
    if "rh-binap" in found:
        parts += ["\n## Oracle: conformers of Rh-BINAP\n", _BINAP, binap(found["rh-binap"])]
    if lacking:
        parts.append(f"\nNot measured: {', '.join(lacking)}.")
    return "\n".join(parts) + "\n"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table of Markdown, its first column to the left."""
    cells = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def interval(told: Figures | None) -> str:
    """Return an improvement with its interval in per cent."""
    if told is None or told["value"] is None:
        return UNKNOWN
    if told["low"] is None:
        return percent(told["value"])
    low, high = (fixed(100.0 * told[end], 1) for end in ("low", "high"))
    return f"{fixed(100.0 * told['value'], 1)} % ({low} to {high})"


def verdicts(fits: list[tuple[System, Figures]]) -> str:
    """Return how much better each fit is than its start, and whether that can be relied on."""
    head = [
        "system",
        "molecules",
        "values",
        "trained",
        "matched, cm⁻¹",
        "fitted",
        "left out",
        "samples",
        "verdict on frequencies",
    ]
    rows = [
        [
            system.label,
            str(one["molecules"]),
            str(one["values"]),
            str(one["trained"]),
            f"{fixed(one['start']['frequency_rmsd_cm1'], 1)} → {fixed(one['final']['frequency_rmsd_cm1'], 1)}",
            interval(one["fitted"]),
            interval(one.get("left_out")),
            f"{one['fitted']['n']} {'samples' if one['over'] == 'molecules' else 'starts'}",
            f"**{one['verdict']}**{'' if one['over'] == 'molecules' else ', for these molecules'}",
        ]
        for system, one in fits
    ]
    return table(head, rows)


def undecided(fits: list[tuple[System, Figures]]) -> list[str]:
    """Return why verdicts are none, and what fits lack for a success."""
    said = [f"- {s.label}: not decidable, since {one['undecided']}." for s, one in fits if one["verdict"] == OPEN]
    lacks = {system.label: one["reason"].partition(_ADVICE)[0] for system, one in fits if not one["success"]}
    said += [f"- {label}: the fit reports no success: {reason}." for label, reason in lacks.items()]
    said += [f"- {s.label}: {one['failures']} refits failed." for s, one in fits if one.get("failures")]
    return ["", *said] if said else []


def paid(fits: list[tuple[System, Figures]]) -> list[str]:
    """Return of which fits relaxed structures are worse than those of the start."""
    said = []
    for system, one in fits:
        pairs = {key: (one["start"][key], one["final"][key]) for key in _STRUCTURE}
        worse = [
            with_unit(f"{name} {fixed(before, decimals)} → {fixed(after, decimals)}", unit)
            for key, (name, decimals, unit) in _STRUCTURE.items()
            for before, after in (pairs[key],)
            if None not in pairs[key] and after > _WORSE * before and fixed(after, decimals) != fixed(before, decimals)
        ]
        said += (
            [f"- {system.label}: relaxed structures are worse than the start's, {', '.join(worse)}."] if worse else []
        )
    return ["", *said] if said else []


def quality(fits: list[tuple[System, Figures]]) -> str:
    """Return the figures of each system at the start and after the fit."""
    head = ["system", "", "matched", "sorted", "by q2mm", "R²", "bonds, Å", "angles, °", "torsions, °"]
    head += ["energies here, kcal/mol", "relaxed (groups)", "lost", "force, kcal/mol/Å"]
    rows = []
    for system, one in fits:
        for when, word in (("start", "start"), ("final", "fit")):
            figures = one[when]
            relaxed = fixed(figures["relaxed_energy_rmsd_kcal_mol"], 3)
            here = asked(system).get("energy", {"at": "relaxed"}).get("at") is None
            rows.append(
                [
                    system.label,
                    word,
                    fixed(figures["frequency_rmsd_cm1"], 1),
                    fixed(figures["frequency_rmsd_sorted_cm1"], 1),
                    fixed(figures["sorted_and_cut_cm1"], 1),
                    fixed(figures["eigenmatrix_r2"], 4),
                    fixed(figures["bond_rmsd_a"], 4),
                    fixed(figures["angle_rmsd_deg"], 2),
                    fixed(figures["torsion_rmsd_deg"], 2),
                    fixed(figures["energy_rmsd_kcal_mol"] if here else None, 3),
                    relaxed if relaxed == UNKNOWN else f"{relaxed} ({one['groups']})",
                    str(figures["not_relaxed"]),
                    significant(figures["force_max_kcal_mol_a"], 2),
                ]
            )
    return table(head, rows)


def sanity(fits: list[tuple[System, Figures]]) -> str:
    """Return what is physical at the start and after the fit."""
    head = [
        "system",
        "negative, start",
        "negative, fit",
        "unphysical, start",
        "unphysical, fit",
        "force, start",
        "force, fit",
    ]
    rows = [
        [
            system.label,
            *(f"{one[when]['negative']} of {one[when]['constants']}" for when in ("start", "final")),
            *(str(len(one[when]["unphysical"])) for when in ("start", "final")),
            *(significant(one[when]["force_max_kcal_mol_a"], 2) for when in ("start", "final")),
        ]
        for system, one in fits
    ]
    return table(head, rows)


def times(found: dict[str, Figures], fits: list[tuple[System, Figures]]) -> str:
    """Return what each system cost, and on which processor."""
    head = ["system", "fit", "iterations", "resampling, or oracle", "all, by the clock", "load", "processor, vectors"]
    known = {system.name: (system.label, one["fit_cpu_s"], one["resampling_cpu_s"]) for system, one in fits}
    rows = []
    for name, one in found.items():
        label, fit, resampling = known.get(name, (name, None, one.get("cpu_s")))
        processor = f"{one['processor']}, {one['vector_bits']} bits"
        counts = [fixed(fit, 1), str(one.get("iterations", UNKNOWN)), fixed(resampling, 1)]
        rows.append([label, *counts, fixed(one["all_wall_s"], 0), fixed(one["load_average"], 0), processor])
    return table(head, rows)


def others(fit: tuple[System, Figures]) -> str:
    """Return what is known of a system beside its figures."""
    system, one = fit
    atoms = one["atoms"]
    size = f"{atoms[0]}" if len(atoms) == 1 else f"{atoms[0]} to {atoms[-1]}"
    lines = [f"**{system.title}** ({size} atoms; {one['level'] or 'level of theory not stated'})", ""]
    told = ", ".join(f"{name} {target['tolerance']:g}" for name, target in asked(system).items())
    trained = tomllib.loads(system.settings)["forcefield"].get("train")
    named = f" Trained: `{trained[0]}`." if trained else ""
    lines.append(f"- Start: {system.start}.{named} Targets and their tolerances: {told}.")
    lines += [f"- {said}." for said in (*system.notes, *system.others)]
    return "\n".join([*lines, ""])


def asked(system: System) -> Figures:
    """Return the targets of a fit as its settings have them."""
    return tomllib.loads(system.settings)["targets"]


def cisplatin(figures: Figures) -> str:
    """Return how far frequencies are from MacroModel's, and both from QM."""
    head = ["force field", "RMSD to MacroModel, cm⁻¹", "largest", "of at most", "to QM by rank, ours", "MacroModel's"]
    keys = ("rms_cm1", "max_cm1", "highest_cm1", "qm_sorted_cm1", "qm_sorted_macromodel_cm1")
    rows = [[name, *(fixed(figures["pairs"][name][key], 1) for key in keys)] for name in CISPLATIN]
    return table(head, rows)


def binap(figures: Figures) -> str:
    """Return gradients and relative energies at MacroModel's minima."""
    head = ["set", "structures", "atoms", "RMS gradient, kJ/mol/Å", "MacroModel's at most", "energies span, kJ/mol"]
    head += ["relative energies off by, RMS", "at most", "total at most"]
    rows = [
        [
            name,
            str(one["structures"]),
            str(one["atoms"]),
            f"{fixed(one['rms_gradient_lowest'], 3)} to {fixed(one['rms_gradient_highest'], 3)}",
            fixed(one["macromodel_rms_gradient_highest"], 3),
            fixed(one["spread_kj_mol"], 1),
            *(fixed(one[key], 3) for key in ("relative_rms_kj_mol", "relative_max_kj_mol", "total_max_kj_mol")),
        ]
        for name, one in figures["sets"].items()
    ]
    return table(head, rows)
