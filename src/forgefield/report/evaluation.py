"""Terminal tables of an evaluated force field."""

import numpy as np
from jaxtyping import Float
from rich.table import Table

from forgefield.assign.mm3.laid import Coverage
from forgefield.fitting.data.training_set import Example
from forgefield.fitting.judge.metrics import Judgement
from forgefield.io.listings.listing import Comparison
from forgefield.io.offenders import listed
from forgefield.molecules.molecule import Molecule

_SHOWN = 8
"""Number of lines that are named."""


def _table(title: str, *heads: str) -> Table:
    table = Table(
        title=title, title_justify="left", box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0)
    )
    for place, head in enumerate(heads):
        table.add_column(head, justify="left" if place == 0 else "right", no_wrap=True)
    return table


def coverage_table(coverage: tuple[Coverage, ...], idle: tuple[int, ...]) -> Table:
    """Return where the rows of the interactions stand in the file, and on which lines rows can match nothing."""
    table = _table("Coverage", "interactions", "substructure", "main table", "no row")
    for kind in coverage:
        table.add_row(kind.kind, str(kind.substructure), str(kind.table), str(kind.uncovered))
    if idle:
        table.caption_justify = "left"
        table.caption = (
            f"{len(idle)} row(s) of substructures can match nothing, as their atoms are not bonded in this order\n"
            f"(line {listed([str(line) for line in idle], shown=_SHOWN)})"
        )
    return table


def comparison_tables(comparison: Comparison) -> Table:
    """Return how each kind of interaction compares with another program's listing."""
    heads = "n", "n′", "missing", "extra", "lines", "values", "max Δ", "total", "total′"
    table = _table("Comparison / kJ/mol (′: the other program)", "term", *heads)
    for term in comparison.terms:
        counts = (term.n, term.n_reference, term.missing, term.extra, term.line_mismatches, term.parameter_mismatches)
        energies = (term.total_kj_mol, term.reference_total_kj_mol)
        table.add_row(
            term.kind,
            *map(str, counts),
            f"{term.max_energy_deviation_kj_mol:.4f}",
            *(f"{energy:.4f}" for energy in energies),
        )
    table.caption = (
        "lines and values: interactions with another line of the file or other parameters\n"
        f"largest deviation of a charge: {comparison.max_charge_deviation:.4f} e"
    )
    return table


def worst_table(comparison: Comparison) -> Table:
    """Return the interactions whose energies deviate most."""
    table = _table("Worst interactions / kJ/mol", "interaction", "atoms", "here", "there", "Δ")
    for found in comparison.worst():
        energies = [None if i is None else i.energy_kj_mol for i in (found.interaction, found.reference)]
        shown = ["absent" if energy is None else f"{energy:.4f}" for energy in energies]
        table.add_row(
            found.either.kind, "-".join(map(str, found.either.atoms)), *shown, f"{found.energy_deviation:.4f}"
        )
    return table


def forces_tables(molecules: list[Molecule], forces: list[Float[np.ndarray, "atoms 3"]]) -> Table:
    """Return the forces on all atoms [kcal/mol/Å]."""
    table = _table("Forces / kcal/mol/Å", "structure", "atom", "x", "y", "z")
    for molecule, vectors in zip(molecules, forces, strict=True):
        for atom, vector in enumerate(vectors):
            table.add_row(molecule.name, f"{molecule.symbols[atom]}{atom + 1}", *(f"{f:.5f}" for f in vector))
    return table


def judgement_table(examples: list[Example], judgement: Judgement) -> Table:
    """Return frequencies against QM, structure by structure and for all."""
    heads = "matched", "sorted", "eigenmatrix", "R²", "overlap > ½", "reaction mode"
    table = _table("Frequencies against QM: RMSD / cm⁻¹", "structure", *heads)
    names = [*(example.molecule.name for example in examples), "all"]
    for name, metrics in zip(names, [*judgement.each, judgement.total], strict=True):
        table.add_row(
            name,
            _number(metrics.frequency_rmsd_cm1, ".1f"),
            _number(metrics.frequency_rmsd_sorted_cm1, ".1f"),
            _number(metrics.eigenmatrix_rmsd_cm1, ".1f"),
            _number(metrics.eigenmatrix_r2, ".4f"),
            _number(metrics.mode_overlap_share, ".0%"),
            _number(metrics.reaction_mode_cm1, ".1f"),
        )
    table.caption = "reaction modes are left out of the RMSD and R²"
    return table


def _number(value: float | None, style: str) -> str:
    return "-" if value is None else format(value, style)
