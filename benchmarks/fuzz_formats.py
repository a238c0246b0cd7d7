"""The formats that are read: real files of each, in a folder of their own, and what reads them."""

import gzip
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import fuzz_programs
import numpy as np
from fuzz_case import DATA, Case, copied
from safetensors.numpy import save_file

from forgefield.assign.generated import generate
from forgefield.engines import openmm
from forgefield.io import rules
from forgefield.io.checkpoint import read_arrays, read_facts, write_checkpoint
from forgefield.io.forcefields.amber.frcmod import write_frcmod
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.forcefields.mm3.generated_fld import write_generated_fld
from forgefield.io.forcefields.neural.schnetpack import Settings, import_painn
from forgefield.io.forcefields.openmm.openmm_xml import write_openmm_xml
from forgefield.io.listings.mmo import read_mmo
from forgefield.io.molecules import read_structures
from forgefield.io.qm.qcschema import write_qcschema
from forgefield.io.references import read_reference
from forgefield.io.structures.atom_types import read_atom_types
from forgefield.io.structures.xyz import write_xyz
from forgefield.io.trajectories import AbstractTrajectories, Mark, Stretch, trajectories
from forgefield.jobs.fit.plan.fit_toml import read_plan
from forgefield.jobs.fit.plan.load import load
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.nonbonded import LENNARD_JONES
from forgefield.terms.stretch import HARMONIC_STRETCH, MM3_STRETCH
from forgefield.terms.torsion import TORSION3

EXAMPLES = Path(__file__).parents[1] / "examples"
RH = DATA / "rh-enamide"
HARMONIC = (HARMONIC_STRETCH, HARMONIC_BEND, TORSION3, LENNARD_JONES)
CHECKPOINT = {"at": np.arange(40.0), "done": np.array([True, False]), "costs": np.ones((4, 2))}


def _qm(*files: str, kind: str = "text") -> Callable[[Path], Case]:
    """Structures and references in files of the data or of the examples."""

    def build(folder: Path) -> Case:
        found = [path for name in files for root in (EXAMPLES, DATA) for path in sorted(root.glob(name))[:3]]
        return Case(copied(folder, found), _structures_and_references, kind)

    return build


def _structures_and_references(path: Path) -> list[object]:
    return [*read_structures(path), *read_reference([path])]


def _partial(*files: str, kind: str = "text") -> Callable[[Path], Case]:
    """QM results without a geometry, which lies beside them."""

    def build(folder: Path) -> Case:
        (geometry,) = copied(folder, [DATA / "sn2" / "sn2-ts-optimized.xyz"])
        found = copied(folder, [DATA / "sn2" / name for name in files])
        return Case(found, lambda path: read_reference([geometry, path]), kind)

    return build


def _structures(pattern: str) -> Callable[[Path], Case]:
    def build(folder: Path) -> Case:
        copied(folder, [RH / "forcefield" / "atom.typ"])
        return Case(copied(folder, sorted(RH.glob(pattern))[:4]), read_structures)

    return build


def _maegz(folder: Path, *, inside: bool) -> Case:
    """Compressed structures: the archive is damaged, or the text inside it."""
    copied(folder, [RH / "forcefield" / "atom.typ"])
    files = []
    for file in sorted(RH.glob("mae/*.mae"))[:3]:
        files.append(folder / f"{file.stem}.maegz")
        files[-1].write_bytes(gzip.compress(file.read_bytes()))
    if inside:
        return Case(files, read_structures, "text", gzip.decompress, gzip.compress)
    return Case(files, read_structures, "binary")


def _extxyz(folder: Path) -> Case:
    shutil.copyfile(DATA / "sn2" / "sn2-ts-optimized.xyz", folder / "plain.xyz")
    write_xyz(folder / "scan.extxyz", read_reference([EXAMPLES / "butane" / "scan.json"])[:6])
    write_xyz(folder / "one.extxyz", read_reference([EXAMPLES / "ch3f" / "ch3f.json"]))
    return Case(sorted(folder.glob("*xyz")), _structures_and_references)


def _qcschema(folder: Path) -> Case:
    (molecule,), (reference,) = (
        read_structures(DATA / "ethane" / "TS.log"),
        read_reference([DATA / "ethane/TS.log"]),
    )
    write_qcschema(folder / "written.json", molecule, reference)
    shutil.copyfile(EXAMPLES / "ch3f" / "ch3f.json", folder / "ch3f.json")
    return Case(sorted(folder.glob("*.json")), _structures_and_references, "json")


def _listing(folder: Path) -> Case:
    return Case(copied(folder, sorted(RH.glob("mmo/*.mmo"))[:3]), read_mmo)


def _atom_typ(folder: Path) -> Case:
    return Case(copied(folder, [RH / "forcefield" / "atom.typ"]), read_atom_types)


def _bonded(file: str) -> Molecule:
    (molecule,) = read_structures(EXAMPLES / file)
    bonds, orders = perceive_bonds(molecule.species, molecule.positions)
    return replace(molecule, bonds=bonds, orders=orders)


def _ch3f() -> Molecule:
    return _bonded("ch3f/ch3f.json")


def _butane() -> Molecule:
    return _bonded("butane/butane.xyz")


def _mm3_fld(folder: Path) -> Case:
    """The published file, laid over a structure that it is for."""
    copied(folder, [RH / "forcefield" / "atom.typ"])
    (structure,) = copied(folder, sorted(RH.glob("mae/*.mae"))[:1])
    molecules = read_structures(structure)
    return Case(copied(folder, [RH / "forcefield" / "mm3.fld"]), lambda path: rules.load(path).lay(molecules))


def _substructures_fld(folder: Path) -> Case:
    return Case(copied(folder, sorted(RH.glob("forcefield/rh_*.fld"))), read_fld)


def _generated_fld(folder: Path) -> Case:
    made = generate([_ch3f()], (MM3_STRETCH, MM3_BEND))
    write_generated_fld(folder / "made.fld", made, [_ch3f()])
    return Case([folder / "made.fld"], lambda path: rules.load(path).lay([_ch3f()]))


def _frcmod(folder: Path) -> Case:
    made = generate([_butane()], HARMONIC[:3], van_der_waals=LENNARD_JONES)
    write_frcmod(folder / "made.frcmod", made, [_butane()])
    return Case([folder / "made.frcmod"], lambda path: rules.load(path).lay([_butane()]))


def _results(folder: Path) -> Case:
    """The folder of a fit, whose force field is damaged."""
    made = generate([_butane()], HARMONIC[:3], van_der_waals=LENNARD_JONES)
    write_frcmod(folder / "forcefield.frcmod", made, [_butane()])
    return Case([folder / "forcefield.frcmod"], lambda path: rules.load(path.parent).lay([_butane()]))


def _openmm(folder: Path) -> Case:
    made = generate([_ch3f()], (MM3_STRETCH, HARMONIC_BEND, TORSION3), van_der_waals=LENNARD_JONES)
    write_openmm_xml(folder / "made.xml", made, [_ch3f()])
    return Case([folder / "made.xml"], lambda path: openmm.energy(path, _ch3f()))


def _checkpoint(folder: Path) -> Case:
    path = folder / "checkpoint.safetensors"
    write_checkpoint(path, CHECKPOINT, {"input": "abc", "stage": [1, ["k"], [["k", 0.1]]]})
    return Case([path], lambda path: (read_facts(path), read_arrays(path, CHECKPOINT)), "binary")


def _painn(folder: Path) -> Case:
    (ethanol,) = read_structures(EXAMPLES / "painn" / "ethanol.xyz")
    (file,) = copied(folder, [EXAMPLES / "painn" / "ethanol.safetensors"])
    return Case([file], lambda path: rules.load(path).lay([ethanol]), "binary")


def _schnetpack(folder: Path) -> Case:
    """A small model as SchNetPack 2 names its tensors."""
    n, n_radial = 8, 5
    shapes = {
        "representation.embedding.weight": (10, n),
        "representation.filter_net.weight": (3 * n, n_radial),
        "representation.filter_net.bias": (3 * n,),
        "representation.mixing.0.mu_channel_mix.weight": (2 * n, n),
    }
    for name, inputs, hidden, outputs in (
        ("output_modules.0.outnet", n, n // 2, 1),
        ("representation.interactions.0.interatomic_context_net", n, n, 3 * n),
        ("representation.mixing.0.intraatomic_context_net", 2 * n, n, 3 * n),
    ):
        shapes |= {f"{name}.0.weight": (hidden, inputs), f"{name}.0.bias": (hidden,)}
        shapes |= {f"{name}.1.weight": (outputs, hidden), f"{name}.1.bias": (outputs,)}
    tensors: dict[str, np.ndarray] = {name: np.ones(shape) for name, shape in shapes.items()}
    tensors["representation.cutoff_fn.cutoff"] = np.array([5.0])
    tensors["representation.radial_basis.freqs"] = np.arange(1, n_radial + 1) * np.pi / 5.0
    save_file(tensors, folder / "painn.safetensors")
    with (folder / "painn.npz").open("wb") as file:
        np.savez(file, allow_pickle=False, **tensors)
    return Case([folder / "painn.npz", folder / "painn.safetensors"], _imported, "binary")


def _imported(path: Path) -> None:
    settings = Settings(
        energy_unit="eV",
        length_unit="Å",
        cutoff_fn="CosineCutoff",
        activation="silu",
        aggregation_mode="sum",
        epsilon=1e-8,
        offsets="none",
    )
    import_painn(path, settings, elements=["H", "C", "O"])


def _fit_toml(folder: Path) -> Case:
    shutil.copytree(EXAMPLES / "ch3f", folder, dirs_exist_ok=True)
    shutil.copyfile(EXAMPLES / "butane" / "FIT.toml", folder / "butane.toml")
    shutil.copytree(EXAMPLES / "butane", folder / "butane")
    files = [folder / "FIT.toml", folder / "butane" / "FIT.toml"]
    return Case(files, lambda path: load(read_plan(path)))


def _trajectory(suffix: str, kind: str) -> Callable[[Path], Case]:
    """The output of dynamics, as it is looked at before a run is continued."""

    def build(folder: Path) -> Case:
        molecule = _ch3f()
        n, shape = 12, (12, molecule.n_atoms, 3)
        path = folder / f"run{suffix}"
        written = trajectories(path, molecule.species, np.ones(molecule.n_atoms), 1)
        written.begin()
        vectors = np.random.default_rng(0).normal(size=shape)
        step = np.arange(n)
        written.append([Stretch(step, 0.1 * step, vectors, vectors, vectors, 1.0 * step, 1.0 * step, 1.0 * step)])
        marks = written.marks()
        again = trajectories(path, molecule.species, np.ones(molecule.n_atoms), 1)
        return Case([path], lambda path: _continued(path, again, marks, suffix), kind)

    return build


def _continued(path: Path, written: AbstractTrajectories, marks: list[Mark], suffix: str) -> None:
    written.go_on([asdict(mark) for mark in marks])
    if suffix == ".xyz":
        read_structures(path)


BUILDERS: dict[str, Callable[[Path], Case]] = {
    "xyz and extxyz": _extxyz,
    "mol2": _structures("mol2/*.mol2"),
    "mae": _structures("mae/*.mae"),
    "maegz, archive": lambda folder: _maegz(folder, inside=False),
    "maegz, text": lambda folder: _maegz(folder, inside=True),
    "mmo": _listing,
    "atom.typ": _atom_typ,
    "mm3.fld, laid": _mm3_fld,
    "fld": _substructures_fld,
    "fld, generated": _generated_fld,
    "frcmod": _frcmod,
    "results folder": _results,
    "OpenMM XML": _openmm,
    "fchk": _qm("ethane/*.fchk"),
    "Gaussian log": _qm("ethane/*.log", "heck-meets/meets1.log"),
    "Jaguar in": _qm("rh-enamide/jaguar/*.01.in"),
    "Jaguar out": _qm("rh-enamide/jaguar/*.out"),
    "QCSchema": _qcschema,
    "torsion drive": _qm("butane/scan.json", kind="json"),
    **fuzz_programs.BUILDERS,
    "npy Hessian": _partial("sn2-ts-hessian.npy", kind="binary"),
    "frequencies and energy": _partial("sn2-ts-frequencies.txt", "sn2-ts-energy.txt"),
    "checkpoint": _checkpoint,
    "painn": _painn,
    "SchNetPack": _schnetpack,
    "FIT.toml": _fit_toml,
    "trajectory, xyz": _trajectory(".xyz", "text"),
    "trajectory, h5": _trajectory(".h5", "binary"),
}
"""By the names of the report."""
