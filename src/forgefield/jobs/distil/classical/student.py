"""A classical student: a force field fitted to labelled structures, its errors and its files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from forgefield.assign.assignment import Assignment
from forgefield.assign.generated import generate
from forgefield.assign.measured import mean_geometry
from forgefield.assign.mm3.laid import Mm3Assignment, changed_columns
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.mm3.selection import selected_lines
from forgefield.assign.rules import AbstractRowRules
from forgefield.assign.typed_rules import TypedRules, generated_rules
from forgefield.distil.deviations import Deviations
from forgefield.errors import ForgeFieldError, InputError, WriteError
from forgefield.fitting.judge.sanity import cancelling, unphysical
from forgefield.fitting.judge.stiffest import stiffest_rows
from forgefield.io.datasets.records import Record
from forgefield.io.forcefields.mm3.fld import changed_text, mm3_rules, parse_fld
from forgefield.io.formats import NATIVE, force_fields
from forgefield.jobs.distil.classical.fitted import Fitted, answers_of, fitted
from forgefield.jobs.distil.classical.labelled import Labelled, by_molecule
from forgefield.jobs.distil.classical.plan import ClassicalPlan
from forgefield.jobs.distil.classical.rest import at_rest, collapsed
from forgefield.jobs.fit.plan.choices import form_of
from forgefield.jobs.fit.plan.plan import Generated
from forgefield.molecules.molecule import Molecule


@dataclass(frozen=True, eq=False)
class ClassicalStudent:
    """A force field that was fitted to a data set."""

    rules: AbstractRowRules
    """To be laid over any molecules with the same types."""
    fitted: Fitted
    molecules: list[Molecule]
    """Those that it was fitted to, at rest."""
    zeros: Mapping[str, float] = field(default_factory=dict)
    """What its energies are above the teacher's, in the mean, by bond graph [kcal/mol]."""
    n_structures: int = 0
    wrong: tuple[str, ...] = ()
    """What of it no molecule has."""
    warnings: tuple[str, ...] = ()

    @property
    def assignment(self) -> Assignment:
        """It laid over these molecules."""
        return self.fitted.assignment

    @property
    def success(self) -> bool:
        """Whether the fit converged to a force field that makes physical sense."""
        return self.fitted.fit.success and not self.wrong


@dataclass(frozen=True, eq=False)
class Judged:
    """How far a student is from labelled structures."""

    deviations: Deviations | None
    """Hessian products along all directions of a structure together; None where no structure could be computed."""
    left_out: tuple[str, ...]
    """Of molecules that it does not cover, why not."""


def learned(records: Iterable[Record], plan: ClassicalPlan) -> ClassicalStudent:
    """Return a force field fitted to the energies, forces and Hessian products of records.

    Structures with a bond torn or crushed by more than a fifth are left out. Raises InputError, or MissingParameters.
    """
    everything = at_rest(by_molecule(records), plan)
    labelled = [one for one in (each.whole() for each in everything) if one.references]
    if not labelled:
        raise InputError("a classical student needs structures whose bonds are whole")
    n_torn = sum(len(one.references) for one in everything) - sum(len(one.references) for one in labelled)
    molecules = [one.molecule for one in labelled]
    laid, mm3 = _laid(plan, molecules)
    found = fitted(laid, labelled, plan, made=isinstance(plan.start, Generated))
    wrong = _wrong(found, molecules)
    warnings = cancelling(found.rows, np.asarray(found.assignment.model.values))
    if not any(term.kind == "vdw" for term in found.assignment.model.terms):
        warnings += [
            f"{name}: in the minimum of this force field atoms that are not bonded clash, since nothing keeps them "
            'apart; set nonbonded = "uff" under [student]'
            for name in collapsed(found.assignment, molecules)
        ]
    if n_torn:
        warnings.append(
            f"{n_torn} structure(s) with a bond that is longer or shorter than usual by more than a fifth were left out"
        )
    return ClassicalStudent(
        rules=_rules(found.assignment, mm3),
        fitted=found,
        molecules=molecules,
        zeros=_zeros(found.assignment, labelled),
        n_structures=sum(len(one.references) for one in labelled),
        wrong=tuple(wrong),
        warnings=tuple(warnings),
    )


def judged(student: ClassicalStudent, records: Iterable[Record]) -> Judged:
    """Return how far a student is from records; molecules that it does not cover are left out."""
    energy, gradient, product, left_out = [np.zeros(0)], [], [], []
    for one in by_molecule(records):
        try:
            laid = student.rules.assign([one.molecule])
        except ForgeFieldError as error:
            left_out.append(f"{one.molecule.name}: {error}")
            continue
        frames = one.frames
        found = answers_of(laid, 0, frames)
        off = found.energy - frames.energy
        energy.append(off - student.zeros.get(one.graph, float(off.mean())))
        gradient += list(found.gradient - frames.gradient)
        there = (frames.directions != 0.0).any(axis=(2, 3))
        off_products = found.products - frames.products
        product += [each[k].reshape(-1, 3) for each, k in zip(off_products, there, strict=True) if k.any()]
    known = Deviations(np.concatenate(energy), tuple(gradient), tuple(product)) if gradient else None
    return Judged(known, tuple(left_out))


def write_student(folder: Path, student: ClassicalStudent) -> tuple[list[Path], list[str]]:
    """Write a student in every format that holds it; return the files, and why it is not there in others."""
    if isinstance(student.rules, Mm3Rules):
        for one in (formats := [one for one in force_fields() if one.holds_mm3]):
            assert one.write_rules is not None
            one.write_rules(folder / one.in_folder, student.rules)
        return [folder / one.in_folder for one in formats], []
    form = form_of({row.term for row in student.assignment.rows})
    files, unwritten = [], []
    for one in [
        NATIVE,
        *(other for other in force_fields() if other.word and form in other.forms and not other.of_one),
    ]:
        assert one.write_laid is not None
        try:
            files += one.write_laid(folder / one.in_folder, student.assignment, student.molecules)
        except WriteError:
            raise
        except InputError as error:
            unwritten.append(f"Not written as {one.word or one.name}: {error}")
    return files, unwritten


def _laid(plan: ClassicalPlan, molecules: list[Molecule]) -> tuple[Assignment, Mm3Assignment | None]:
    """Return the force field laid over molecules: one made from them, or that of a file."""
    match plan.start:
        case Generated(terms, depth, van_der_waals, charging):
            return generate(molecules, terms, depth=depth, van_der_waals=van_der_waals, charging=charging), None
        case Mm3Rules() as rules:
            mm3 = rules.assign_lines(molecules, trained=selected_lines(rules.file, plan.changing.train or ("*",)))
            return mm3.assignment, mm3
        case TypedRules() as rules:
            return rules.assign(molecules), None


def _rules(laid: Assignment, mm3: Mm3Assignment | None) -> AbstractRowRules:
    """Return the rows with the values that they have now."""
    if mm3 is None:
        return generated_rules(laid)
    changes = changed_columns(mm3, np.asarray(laid.model.values))
    return mm3_rules(parse_fld(mm3.file.path, changed_text(mm3.file, changes)))


def _wrong(found: Fitted, molecules: Sequence[Molecule]) -> list[str]:
    """Say what no molecule has, and the fit did."""
    laid = found.assignment
    positions = np.concatenate([molecule.positions for molecule in molecules])
    limits = stiffest_rows(laid.model, laid.topology, positions, np.zeros(0, np.int64))
    mean = mean_geometry(laid, positions)
    known, told = (unphysical(found.rows, v, mean, limits) for v in (found.start, np.asarray(laid.model.values)))
    return [said for name, said in told.items() if name not in known]


def _zeros(laid: Assignment, labelled: Sequence[Labelled]) -> dict[str, float]:
    off: dict[str, list[np.ndarray]] = {}
    for m, one in enumerate(labelled):
        frames = one.frames
        off.setdefault(one.graph, []).append(answers_of(laid, m, frames).energy - frames.energy)
    return {graph: float(np.concatenate(each).mean()) for graph, each in off.items()}
