"""From a FIT.toml to the plan of a fit."""

from dataclasses import replace
from pathlib import Path

from forgefield import units
from forgefield.assign.explicit.library import AbstractLibrary
from forgefield.assign.explicit.rules import AbstractStatedRules
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.typed_rules import TypedRules
from forgefield.config import ChargesTarget, FitFile, ForceFieldSection, MoleculesSection, PriorSection
from forgefield.errors import InputError
from forgefield.fitting.data.training_set import Band, Weights
from forgefield.io.format import Format
from forgefield.io.formats import force_field_format
from forgefield.io.molecules import read_structures
from forgefield.io.references import matching_files
from forgefield.io.rules import file_of, load, of_ambertools, parts_of
from forgefield.io.selection import split
from forgefield.io.sources import content, reading
from forgefield.io.structures.atom_types import FILE_NAME, AtomTypes, read_atom_types
from forgefield.io.text import decoded
from forgefield.jobs.fit.plan.choices import (
    ESTIMATES,
    FORMS,
    engine,
    form_of,
    formats_named,
    formats_of_systems,
    policy_named,
    solver,
    terms_named,
)
from forgefield.jobs.fit.plan.plan import Changing, Generated, MoleculeFiles, Plan, Widths
from forgefield.jobs.fit.plan.target_choices import read_fit_file, targets
from forgefield.models.trainable import Tie
from forgefield.molecules.molecule import Molecule
from forgefield.toml.quantities import in_unit

_OF_GENERATED = {"terms", "depth", "nonbonded", "charges"}
"""Keys that contradict a force field of a file, which has its own."""


def read_plan(path: Path, *, starts: int | None = None) -> Plan:
    """Return the plan of a FIT.toml, with the force field that it starts from. Raises InputError.

    `starts` replaces the number that the file asks for.
    """
    with reading() as sources:
        # A file that is just FIT.toml goes by the name of its folder.
        name = path.resolve().parent.name if path.stem.lower() == "fit" else path.stem
        plan = plan_of(read_fit_file(path), path.parent, name)
        text = decoded(content(path))
    return replace(plan, text=text, sources=sources.digests, starts=plan.starts if starts is None else starts)


def plan_of(file: FitFile, folder: Path, name: str) -> Plan:
    """Return the plan of settings whose paths are relative to a folder. Raises InputError."""
    section = file.forcefield
    molecules = tuple(_molecules(one, folder) for one in file.molecules)
    start, types = _start(section, folder, molecules)
    formats = (formats_of_systems if isinstance(start, AbstractStatedRules) else formats_named)(
        section.form, section.write
    )
    keeps = isinstance(start, AbstractStatedRules) and "estimate" not in section.model_fields_set
    chosen, charges = targets(file.targets), file.targets.entry("charges")
    return Plan(
        molecules=molecules,
        targets=chosen,
        start=start,
        estimate=ESTIMATES["none" if keeps else section.estimate],
        changing=Changing(
            section.train,
            section.freeze,
            section.allow_negative,
            tuple(Tie(t.follower, t.leader, t.factor, t.offset) for t in section.ties),
        ),
        prior=_widths(file.fit.prior),
        solver=solver(file.fit, chosen),
        engine=engine(file.fit),
        starts=file.fit.starts,
        seed=file.fit.seed,
        spread=file.fit.spread,
        hessian_scale=section.hessian_scale,
        charges=charges.kind if isinstance(charges, ChargesTarget) else None,
        skips=file.fit.on_error == "skip",
        formats=_own_formats(section, formats) if isinstance(start, Mm3Rules) else formats,
        all_formats=section.write is not None,
        atom_types=types,
        name=name,
    )


def _molecules(section: MoleculesSection, folder: Path) -> MoleculeFiles:
    structures, name = section.structures, section.transition_state
    bands = tuple(Band(band.lowest, band.highest, band.weight) for band in section.mode_weights)
    return MoleculeFiles(
        references=tuple(tuple(matching_files(folder, pattern)) for pattern in _patterns(section.reference)),
        structures=None
        if structures is None
        else tuple(path for pattern in _patterns(structures) for path in matching_files(folder, pattern)),
        policy=None if name is None else policy_named(name, section.eigenvalue),
        weights=Weights(section.weight, section.reaction_mode_weight, bands),
        group=section.group if "group" in section.model_fields_set else None,
        pieces=section.pieces,
        hessian_unit=None if section.hessian_unit is None else _force_constant(section.hessian_unit),
        trust=section.trust,
    )


def _force_constant(unit: str) -> float:
    """Return the size of a unit [kcal/mol/Å²]. Raises InputError where it is none of a Hessian."""
    try:
        return in_unit(f"1 {unit}", "kcal/mol/Å^2")
    except ValueError as error:
        raise InputError(f'[[molecules]] hessian_unit = "{unit}": {error}') from None


def _patterns(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _widths(section: PriorSection) -> Widths:
    return Widths(section.strength, section.k, section.r0, section.theta0 * units.DEGREE, section.v)


def _own_formats(section: ForceFieldSection, formats: tuple[Format, ...]) -> tuple[Format, ...]:
    """Return the formats that hold the force field of an MM3* file. Raises InputError where others are named."""
    own = tuple(one for one in formats if one.holds_mm3 or one.lays_mm3)
    if section.write is not None and own != formats:
        other = ", ".join(one.word for one in formats if one not in own)
        raise InputError(f"[forcefield] write: {other} cannot hold the force field of an MM3* file; leave it out")
    return own


def _start(
    section: ForceFieldSection, folder: Path, molecules: tuple[MoleculeFiles, ...]
) -> tuple[Generated | TypedRules | Mm3Rules | AbstractStatedRules, AtomTypes | None]:
    """Return where the force field comes from, and the atom types of an atom.typ beside it."""
    form = FORMS[section.form]
    if section.start == "environments":
        generated = Generated(
            terms_named(section.form, section.terms),
            section.depth,
            form["vdw"] if section.nonbonded == "uff" else None,
            form["charges"] if section.charges == "bonds" else None,
        )
        return generated, None
    path = file_of(_named(section.start, folder))
    beside = path.parent / FILE_NAME
    types = read_atom_types(beside) if beside.is_file() else None
    found = force_field_format(path)
    if len(parts_of(path)) == 1 and (found is None or found.rules is None):
        raise InputError(
            f'[forcefield] start = "{section.start}": "environments", a .fld file, a .json or .frcmod file that a fit '
            "wrote, or its folder, a topology (.prmtop, .top, .lmp, .key, .system.xml, .psf with its .prm) or "
            "parameters by types (.dat, .offxml, .xml) is expected"
        )
    if double := sorted(_OF_GENERATED & section.model_fields_set):
        raise InputError(f"[forcefield] {', '.join(double)}: {path} has its own; leave the key(s) out")
    rules = load(path)
    if isinstance(rules, AbstractLibrary):
        rules = rules.stated(_structures(molecules, types))
    if section.split and not isinstance(rules, AbstractStatedRules):
        raise InputError("[forcefield] split: only interactions of a topology get rows of their own; leave the key out")
    match rules:
        case AbstractStatedRules():
            return _stated(section, rules), types
        case Mm3Rules():
            held = "mm3"
        case TypedRules() if rules.typing.meanings:
            other = [term for term in rules.tables if term not in form.values()]
            held = form_of(other[:1]) if other else section.form
        case _:
            raise InputError(
                f'[forcefield] start = "{section.start}": the file does not say what its types stand for; a fit starts '
                "from one that ForgeField wrote"
            )
    if held != section.form:
        raise InputError(f'[forcefield] form = "{section.form}": {path} holds form = "{held}"')
    return rules, types


def _named(start: str | tuple[str, ...], folder: Path) -> Path:
    """Return the path of a force field, as `load` takes those of several files."""
    names = (start,) if isinstance(start, str) else start
    known = [Path(name) if of_ambertools(name) and not (folder / name).exists() else folder / name for name in names]
    return Path("+".join(map(str, known)))


def _structures(molecules: tuple[MoleculeFiles, ...], types: AtomTypes | None) -> list[Molecule]:
    """Return the structures that parameters by types are laid over."""
    files = [path for group in molecules for path in group.structures or next(iter(group.references), ())]
    if not files:
        raise InputError("[[molecules]]: there is no structure that the force field can be laid over")
    return [molecule for path in files for molecule in read_structures(path, atom_types=types)]


def _stated(section: ForceFieldSection, rules: AbstractStatedRules) -> AbstractStatedRules:
    """Return topologies with the rows that are asked for. Raises InputError for keys that contradict them."""
    if "form" in section.model_fields_set:
        raise InputError(f"[forcefield] form: {rules.each[0].system.source} has its own form; leave the key out")
    return split(rules, section.split) if section.split else rules
