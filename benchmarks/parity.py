"""Force fields in and out of every format, judged by the program that owns it: the largest deviation of any term.

Run as `python benchmarks/parity.py [MOLECULE ...]`; one JSON object on stdout, the table of docs/engines.md on stderr.
Molecules are built here: RDKit's geometry displaced by 0.06 Å, GAFF2 with charges of Gasteiger by AmberTools
(antechamber, parmchk2, tleap), which has to be there. GROMACS (gmx_d), LAMMPS and OpenMM judge where they are.
"""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import jax
import numpy as np
from judges import (
    Energies,
    Positions,
    by_forgefield,
    by_gromacs,
    by_lammps,
    by_openmm,
    by_sander,
    run,
    summed,
    through_tleap,
)
from rdkit import Chem
from rdkit.Chem import AllChem

from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.frcmod_writer import FRCMOD
from forgefield.io.forcefields.amber.prmtop import read_prmtop
from forgefield.io.forcefields.amber.prmtop_writer import PRMTOP
from forgefield.io.forcefields.charmm.writer import CHARMM
from forgefield.io.forcefields.gromacs.topology import read_top
from forgefield.io.forcefields.gromacs.writer import TOP
from forgefield.io.forcefields.laid.flat import of_rules
from forgefield.io.forcefields.laid.format import SystemFormat
from forgefield.io.forcefields.lammps.writer import LAMMPS
from forgefield.io.forcefields.openmm.system.reader import rules_of_xml
from forgefield.io.forcefields.openmm.system.writer import xml_of
from forgefield.io.forcefields.openmm.templates_writer import TEMPLATES
from forgefield.io.forcefields.smirnoff.rules import read_smirnoff
from forgefield.io.forcefields.smirnoff.writer import SMIRNOFF
from forgefield.io.structures.coordinates.inpcrd import read_inpcrd

MOLECULES = {
    "water": "O",
    "methanol": "CO",
    "N-methylacetamide": "CNC(C)=O",
    "paracetamol": "CC(=O)Nc1ccc(O)cc1",
    "ibuprofen": "CC(C)Cc1ccc(cc1)C(C)C(O)=O",
    "alanine dipeptide": "CC(=O)N[C@@H](C)C(=O)NC",
    "propionitrile": "CCC#N",
    "dimethyl phosphate": "COP(=O)([O-])OC",
    "N-methylbenzenesulfonamide": "CNS(=O)(=O)c1ccccc1",
    "glycine, a zwitterion": "[NH3+]CC(=O)[O-]",
    "2-methylthiazole": "Cc1nccs1",
    "benzene dimer": "c1ccccc1.c1ccccc1",
    "1,2,3-trichloropropane": "ClCC(Cl)CCl",
    "methyloxirane": "CC1CO1",
    "methylcyclobutane": "CC1CCC1",
}
_NOISE = 0.06
"""Å"""
Judge = Callable[[System, Positions, Path], Energies]


def written(form: SystemFormat, name: str, judge: Callable[[Path, Path], Energies]) -> Judge:
    """Return what writes a system and has the program that owns the format compute it."""

    def judged(system: System, positions: Positions, folder: Path) -> Energies:
        form.write_system(folder / name, system, positions)
        return judge(folder / name, folder)

    return judged


def as_system(system: System, positions: Positions, folder: Path) -> Energies:
    del folder
    import openmm  # noqa: PLC0415

    return by_openmm(openmm.XmlSerializer.deserialize(xml_of(of_rules(SystemRules(system)), "x.xml")), positions)


def as_templates(system: System, positions: Positions, folder: Path) -> Energies:
    from openmm import app  # noqa: PLC0415

    TEMPLATES.write_system(folder / "t.xml", system, None)
    topology = app.Topology()
    chain = topology.addChain()
    residues = {name: topology.addResidue(name, chain) for name in dict.fromkeys(system.residues)}
    named = zip(system.names, system.species.tolist(), system.residues, strict=True)
    atoms = [topology.addAtom(name, app.Element.getByAtomicNumber(z), residues[of]) for name, z, of in named]
    for i, j in system.bonds.tolist():
        topology.addBond(atoms[i], atoms[j])
    return by_openmm(app.ForceField(str(folder / "t.xml")).createSystem(topology), positions)


def as_charmm(system: System, positions: Positions, folder: Path) -> Energies:
    from openmm import app  # noqa: PLC0415

    CHARMM.write_system(folder / "c.psf", system, None)
    parameters = app.CharmmParameterSet(str(folder / "c.rtf"), str(folder / "c.prm"))
    structure = app.CharmmPsfFile(str(folder / "c.psf"))
    return by_openmm(structure.createSystem(parameters, nonbondedMethod=app.NoCutoff), positions)


def as_smirnoff(system: System, positions: Positions, folder: Path) -> Energies:
    SMIRNOFF.write_system(folder / "s.offxml", system, None)
    molecule = system.structure(positions, "a", "a")
    return by_forgefield(read_smirnoff(folder / "s.offxml").over(molecule).system, positions)


def across(system: System, positions: Positions, folder: Path) -> Energies:
    """Write for GROMACS, of what is read for OpenMM, of what is read for AMBER."""
    TOP.write_system(folder / "x.top", system, positions)
    between = read_top(folder / "x.top").system
    again = rules_of_xml(xml_of(of_rules(SystemRules(between)), "x.xml"), "x.xml").system
    PRMTOP.write_system(folder / "y.prmtop", again, positions)
    return by_sander(folder / "y.prmtop", folder)


JUDGES: dict[str, Judge] = {
    "read": lambda system, positions, _: by_forgefield(system, positions),
    "AMBER": written(PRMTOP, "a.prmtop", by_sander),
    "tleap": written(FRCMOD, "f.frcmod", through_tleap),
    "GROMACS": written(TOP, "g.top", by_gromacs),
    "LAMMPS": written(LAMMPS, "l.lmp", by_lammps),
    "OpenMM System": as_system,
    "OpenMM ForceField": as_templates,
    "CHARMM": as_charmm,
    "SMIRNOFF": as_smirnoff,
    "GROMACS, OpenMM, AMBER": across,
}


def made(smiles: str, folder: Path) -> Path:
    """Make the topology of one molecule or several, 5 Å apart, in a displaced geometry, and return its path."""
    parts = smiles.split(".")
    kinds = {part: f"M{k:02d}" for k, part in enumerate(dict.fromkeys(parts))}
    lines = ["source leaprc.gaff2"]
    for part, name in kinds.items():
        parametrised(part, name, folder)
        lines.append(f"loadamberparams {name}.frcmod")
    lines += [f"m{k} = loadmol2 {kinds[part]}.mol2" for k, part in enumerate(parts)]
    lines += [f"translate m{k} {{ 0.3 0.9 {5.0 * k} }}" for k in range(1, len(parts))]
    joined = " ".join(f"m{k}" for k in range(len(parts)))
    lines += [f"m = combine {{ {joined} }}", "saveamberparm m m.prmtop m.inpcrd", "quit", ""]
    (folder / "leap.in").write_text("\n".join(lines))
    run(folder, "tleap", "-f", "leap.in")
    path = folder / "m.prmtop"
    positions = read_inpcrd(path.with_suffix(".inpcrd")).positions
    moved = np.round(positions + np.random.default_rng(5).normal(0.0, _NOISE, positions.shape), 4)
    PRMTOP.write_system(folder / "moved.prmtop", read_prmtop(path).system, moved)
    shutil.copy(folder / "moved.inpcrd", path.with_suffix(".inpcrd"))
    return path


def parametrised(smiles: str, name: str, folder: Path) -> None:
    """Write mol2 and frcmod of a molecule."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(molecule, randomSeed=11)  # pyright: ignore[reportAttributeAccessIssue] (RDKit's C++)
    Chem.MolToMolFile(molecule, str(folder / f"{name}.mol"))
    charge = Chem.GetFormalCharge(molecule)
    kind = "-fi", "mdl", "-fo", "mol2", "-c", "gas", "-at", "gaff2", "-pf", "y", "-dr", "no", "-rn", name
    run(folder, "antechamber", "-i", f"{name}.mol", "-o", f"{name}.mol2", *kind, "-nc", charge)
    neutralise(folder / f"{name}.mol2", charge)
    run(folder, "parmchk2", "-i", f"{name}.mol2", "-f", "mol2", "-o", f"{name}.frcmod", "-s", "gaff2")


def neutralise(mol2: Path, charge: int) -> None:
    """Add to the first charge of a file what they lack to a whole number: sander would spread it over all."""
    lines = mol2.read_text().splitlines()
    atoms = range(lines.index("@<TRIPOS>ATOM") + 1, lines.index("@<TRIPOS>BOND"))
    missing = charge - sum(float(lines[k].split()[8]) for k in atoms)
    head, _, last = lines[atoms[0]].rpartition(lines[atoms[0]].split()[8])
    lines[atoms[0]] = f"{head}{float(lines[atoms[0]].split()[8]) + missing:.6f}{last}"
    mol2.write_text("\n".join(lines) + "\n")


def merged(energies: Energies, *, pairs: bool) -> Energies:
    """Return energies with those between all pairs as one, where a program tells them so, and maps among torsions."""
    kinds = {"cmap": "torsion"} | ({"vdw": "pairs", "electrostatic": "pairs"} if pairs else {})
    return summed([(kinds.get(kind, kind), energy) for kind, energy in energies.items()])


def deviations(found: Energies, wanted: Energies) -> Energies:
    pairs = "pairs" in found
    one, other = merged(found, pairs=pairs), merged(wanted, pairs=pairs)
    return {kind: abs(one.get(kind, 0.0) - other.get(kind, 0.0)) for kind in sorted({*one, *other})}


def judged(smiles: str) -> Iterator[tuple[str, Energies | str]]:
    """Yield the deviations of each format [kcal/mol] from sander's energies of the topology, or why there are none."""
    with TemporaryDirectory() as made_in:
        path = made(smiles, Path(made_in))
        wanted = by_sander(path, path.parent)
        rules, positions = read_prmtop(path), read_inpcrd(path.with_suffix(".inpcrd")).positions
        for name, judge in JUDGES.items():
            with TemporaryDirectory() as folder:
                system = SMIRNOFF.approximate(rules.system) if judge is as_smirnoff else rules.system
                against = by_forgefield(system, positions) if judge is as_smirnoff else wanted
                try:
                    yield name, deviations(judge(system, positions, Path(folder)), against)
                except (InputError, FileNotFoundError, ImportError, OSError) as error:
                    yield name, str(error).replace(f"{folder}/", "")


def table(found: Mapping[str, Mapping[str, Energies | str]]) -> str:
    """Return a table in Markdown: the largest deviation of any term but for the total, and which."""
    lines = [f"| molecule | {' | '.join(JUDGES)} |", f"|---{'|---' * len(JUDGES)}|"]
    for molecule, formats in found.items():
        cells = []
        for name in JUDGES:
            one = formats[name]
            if isinstance(one, str):
                cells.append("refused" if "cannot" in one else "not there")
                continue
            largest, kind = max((off, kind) for kind, off in one.items() if kind != "total")
            cells.append(f"{largest:.0e} {kind}")
        lines.append(f"| {molecule} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    names = sys.argv[1:] or list(MOLECULES)
    found = {name: dict(judged(MOLECULES[name])) for name in names}
    print(json.dumps({"deviations_kcal_mol": found}, indent=1, ensure_ascii=False))
    print(table(found), file=sys.stderr)


if __name__ == "__main__":
    main()
