"""`forgefield evaluate` and `forgefield modes`: what a force field says of structures."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from forgefield.cli.command import DONE, FAILED, Json, Overwrite, Trust, Verbose, command
from forgefield.cli.console import say, show
from forgefield.errors import InputError

VdwCutoff = Annotated[
    float | None,
    typer.Option(min=1.0, help="MacroModel's of van der Waals: 7, or 8 with EXNB [Å]; default 8 beside its energies."),
]


@command
def evaluate(
    force_field: Annotated[Path, typer.Argument(help="Force field, or the folder of a fit.")],
    files: Annotated[list[Path], typer.Argument(help="Structures; an MM3* file may want types (.mae, .mol2).")],
    listing: Annotated[Path | None, typer.Option(help="Write every interaction to this JSON file.")] = None,
    overwrite: Overwrite = False,
    compare: Annotated[Path | None, typer.Option(help="Compare with a MacroModel listing (.mmo).")] = None,
    reference: Annotated[list[Path] | None, typer.Option(help="QM results to compare frequencies with.")] = None,
    transition_state: Annotated[str, typer.Option(help="C, D, D+, E or none, for negative eigenvalues.")] = "C",
    cutoff: Annotated[float, typer.Option(min=0.0, help="Leave out pairs further apart [Å].")] = float("inf"),
    vdw_cutoff: VdwCutoff = None,
    switch: Annotated[float, typer.Option(min=0.0, help="Of topologies: switch vdw off from here [Å].")] = float("inf"),
    dielectric: Annotated[float, typer.Option(min=1.0, help="Of topologies: reaction field beyond --cutoff.")] = 78.3,
    forces: Annotated[bool, typer.Option("--forces", help="Also the forces on the atoms.")] = False,
    trust: Trust = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Evaluate a force field: energies by term, every interaction, frequencies against QM.

    Example: forgefield evaluate mm3.fld mae/*.mae --listing all.json
    """
    from forgefield.io.listings.listing import write_listings
    from forgefield.io.outputs import new_outputs
    from forgefield.jobs import evaluate as job
    from forgefield.report.evaluation import (
        comparison_tables,
        coverage_table,
        forces_tables,
        judgement_table,
        worst_table,
    )
    from forgefield.report.tables import grid

    del verbose
    found = job.evaluate(force_field, files, cutoff=cutoff, vdw_cutoff=vdw_cutoff, switch=switch, dielectric=dielectric)
    if listing is not None:
        compared_with = [*(reference or ()), *(() if compare is None else (compare,))]
        with new_outputs([listing], [force_field, *files, *compared_with], overwrite=overwrite):
            write_listings(listing, job.listed(found, force_field))
    shown = [*([coverage_table(found.coverage, found.idle)] if found.coverage else []), grid(found.table)]
    named = [{"name": m.name, **t} for m, t in zip(found.molecules, found.totals_kj_mol, strict=True)]
    summary: dict[str, Any] = {"structures": named, **({"idle_lines": found.idle} if found.idle else {})}
    if compare is not None:
        comparison = job.compared(found, compare)
        shown += [comparison_tables(comparison), worst_table(comparison)]
        terms = [asdict(term) for term in comparison.terms]
        summary["comparison"] = {"terms": terms, "max_charge_deviation_e": comparison.max_charge_deviation}
    if forces:
        shown.append(forces_tables(found.molecules, vectors := job.forces_of(found)))
        summary["forces_kcal_mol_a"] = [f.tolist() for f in vectors]
    if reference:
        examples, judgement = job.judged(force_field, files, reference, transition_state, trust=trust)
        shown.append(judgement_table(examples, judgement))
        summary["metrics"] = asdict(judgement.total)
    show(shown, summary, as_json=as_json)
    if found.note:
        say(found.note)
    return DONE


@command
def modes(
    force_field: Annotated[Path, typer.Argument(help="Force field, or the folder of a fit.")],
    file: Annotated[Path, typer.Argument(help="One structure; an MM3* file may want types (.mae, .mol2).")],
    relax: Annotated[bool, typer.Option("--relax", help="Go to the nearest minimum of the force field first.")] = False,
    saddle: Annotated[bool, typer.Option("--saddle", help="Go to its nearest first-order saddle first.")] = False,
    atoms: Annotated[str | None, typer.Option(help="Of these atoms alone (1-40,52), others fixed: topologies.")] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Compute frequencies and modes of a structure from the exact Hessian of a force field.

    Example: forgefield modes mm3.fld molecule.mae --relax
    """
    from forgefield.jobs import evaluate as job
    from forgefield.report.tables import grid

    del verbose
    if sum((relax, saddle, atoms is not None)) > 1:
        raise InputError("--relax, --saddle and --atoms exclude each other")
    summary: dict[str, Any] = {}
    if relax or saddle:
        found, ended = job.relaxed_modes(force_field, file, saddle=saddle)
        summary["relaxation"] = job.relaxation_summary(ended)
        if not ended.converged.all():
            say(f"{file}: {summary['relaxation']['failure']}")
            return FAILED
        say(job.relaxation_sentence(ended))
    else:
        found = job.modes(force_field, file) if atoms is None else job.modes_of_part(force_field, file, atoms)
    summary |= {"frequencies_cm1": found.frequencies.tolist(), "modes_mass_weighted": found.vectors.T.tolist()}
    show([grid(found.table)], summary, as_json=as_json)
    return DONE


@command
def check(
    force_field: Annotated[Path, typer.Argument(help="Force field, or the folder of a fit.")],
    files: Annotated[list[Path], typer.Argument(help="Structures; an MM3* file may want types (.mae, .mol2).")],
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Check a force field at structures: slopes against differences, balance, symmetry, no jumps.

    Ends with exit code 1 where something does not hold.

    Example: forgefield check runs/ch3f ch3f.xyz
    """
    from forgefield.jobs import check_model as job
    from forgefield.report.tables import grid

    del verbose
    found = job.check(force_field, files)
    show([grid(one.table) for one in found], job.summary(found), as_json=as_json)
    return DONE if all(one.sound for one in found) else FAILED
