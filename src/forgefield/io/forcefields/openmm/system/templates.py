"""OpenMM's ForceField XML: templates of residues, which OpenMM itself lays over a structure."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError, tostring

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from jaxtyping import Int

from forgefield.assign.explicit.library import AbstractLibrary
from forgefield.assign.explicit.rules import SystemRules
from forgefield.errors import InputError
from forgefield.io.forcefields.openmm.axial import is_axial_script
from forgefield.io.forcefields.openmm.couplings import is_coupling_script
from forgefield.io.forcefields.openmm.system.reader import Named, rules_of_xml
from forgefield.io.text import read_text
from forgefield.molecules.bonds import perceive_bonds, pieces
from forgefield.molecules.molecule import Molecule

_RUN_AS_CODE = ("Script", "InitializationScript")
_EVALUATED = "useDispersionCorrection"
"""An attribute that OpenMM hands to Python's eval."""
_MOST_INCLUDED = 50
_WITH_RESIDUES = {".pdb": "PDBFile", ".ent": "PDBFile", ".cif": "PDBxFile", ".mmcif": "PDBxFile"}


@dataclass(frozen=True, eq=False, repr=False)
class TemplateRules(AbstractLibrary):
    """A force field of OpenMM for any molecule whose residues have templates in it."""

    source: str
    texts: tuple[str, ...]
    """Of the file and those that it includes."""

    def over(self, molecule: Molecule) -> SystemRules:
        """Return the System that OpenMM makes of a molecule. Raises InputError as OpenMM does, or without OpenMM."""
        try:
            import openmm  # noqa: PLC0415 (an extra, and slow to load)
            from openmm import app  # noqa: PLC0415
        except ImportError as error:
            raise InputError(
                f"{self.source}: OpenMM lays templates over structures, and is not installed ({error}); "
                "run: pip install 'forgefield[openmm]'"
            ) from error
        types = _Types()
        try:
            topology = _topology(app, molecule)
            field = app.ForceField(*(StringIO(text) for text in self.texts))
            field.registerGenerator(types)
            system = field.createSystem(topology, rigidWater=False, removeCMMotion=False)
            text = openmm.XmlSerializer.serialize(system)
        except InputError:
            raise
        except Exception as error:  # OpenMM raises bare exceptions.
            raise InputError(f"{self.source}: OpenMM cannot apply it to {molecule.name}: {error}") from error
        named = Named(
            species=tuple(molecule.species.tolist()),
            types=tuple(types.found),
            names=tuple(atom.name for atom in topology.atoms()),
            residues=tuple(f"{atom.residue.name}{atom.residue.id}" for atom in topology.atoms()),
            bonds=tuple((bond[0].index, bond[1].index) for bond in topology.bonds()),
        )
        return rules_of_xml(text, f"{self.source} over {molecule.name}", named)

    @property
    def holds(self) -> tuple[str, ...]:
        """How many types and templates the files have."""
        counts = {"types": "<Type ", "templates of residues": "<Residue "}
        found = {what: sum(text.count(tag) for text in self.texts) for what, tag in counts.items()}
        return tuple(f"{n} {what}" for what, n in found.items())

    def __repr__(self) -> str:
        return f"TemplateRules({self.source})"

    def restored(self) -> "TemplateRules":
        """Return it as it is."""
        return self


class _Types:
    """Learns from OpenMM, as a force without any interactions, which types the atoms get."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def createForce(self, _: Any, data: Any, *rest: Any) -> None:  # noqa: N802 (OpenMM calls it so)
        """Take the types."""
        del rest
        self.found = [data.atomType[atom] for atom in data.atoms]


def _topology(app: Any, molecule: Molecule) -> Any:
    """Return a molecule as OpenMM has it, in the residues that its file says, else one for each piece."""
    topology = app.Topology()
    suffix = Path(molecule.source).suffix.lower()
    names = molecule.names if len({*(molecule.names or ())}) == molecule.n_atoms else None
    bonds = molecule.bonds if len(molecule.bonds) else perceive_bonds(molecule.species, molecule.positions)[0]
    numbered = list(names or [f"{symbol}{k}" for k, symbol in enumerate(molecule.symbols, 1)])
    residues = [("MOL", [numbered[k] for k in piece]) for piece in _one_after_the_other(molecule.n_atoms, bonds)]
    if suffix in _WITH_RESIDUES and Path(molecule.source).is_file():
        stated = getattr(app, _WITH_RESIDUES[suffix])(molecule.source).topology
        of_file = [(residue.name, [atom.name for atom in residue.atoms()]) for residue in stated.residues()]
        if sum(len(names) for _, names in of_file) == molecule.n_atoms:
            residues = of_file
    chain, atoms = topology.addChain(), []
    species = iter(molecule.species.tolist())
    for name, names in residues:
        residue = topology.addResidue(name, chain)
        atoms += [topology.addAtom(one, app.Element.getByAtomicNumber(next(species)), residue) for one in names]
    # With bonds in ascending order OpenMM keeps the order of equivalent atoms when it recognises a molecule.
    for i, j in sorted(sorted(bond) for bond in bonds.tolist()):
        topology.addBond(atoms[i], atoms[j])
    return topology


def _one_after_the_other(n_atoms: int, bonds: Int[np.ndarray, "bonds 2"]) -> list[list[int]]:
    """Return the atoms of each piece; all as one where pieces are mixed, as OpenMM goes through atoms by residues."""
    found = sorted((piece.tolist() for piece in pieces(n_atoms, bonds)), key=lambda piece: piece[0])
    return found if [k for piece in found for k in piece] == [*range(n_atoms)] else [[*range(n_atoms)]]


def read_templates(path: Path) -> TemplateRules:
    """Return the force field of a ForceField XML, with the files that it includes.

    Raises InputError where it cannot be read, or OpenMM would run part of it as Python code.
    """
    return TemplateRules(str(path), tuple(_texts(path)))


def _texts(path: Path) -> Iterator[str]:
    left, n_read = [path], 0
    while left:
        one = left.pop(0)
        n_read += 1
        if n_read > _MOST_INCLUDED:
            raise InputError(f"{path}: includes more than {_MOST_INCLUDED} files")
        root = root_without_code(one)
        for include in root.findall("Include"):
            left.append(one.parent / include.get("file", ""))
            if not left[-1].is_file():
                raise InputError(f"{one}: includes {left[-1]}, and there is no such file")
            root.remove(include)
        yield tostring(root, encoding="unicode")


def _is_own(script: str) -> bool:
    return is_coupling_script(script) or is_axial_script(script)


def root_without_code(path: Path) -> Any:
    """Return the root of a ForceField XML. Raises InputError where OpenMM would run part of it as Python code."""
    try:
        root = fromstring(read_text(path))
    except (ParseError, DefusedXmlException) as error:
        raise InputError(f"{path}: cannot be read as XML: {error}") from error
    elements = [*root.iter()]
    code = [element for element in elements if element.tag in _RUN_AS_CODE]
    found = [e.tag for e in code if e.tag != "Script" or not _is_own(e.text or "")]
    found += [_EVALUATED for element in elements if element.get(_EVALUATED, "True") not in ("True", "False")]
    if found:
        raise InputError(f"{path}: holds {', '.join(found)}, which OpenMM would execute; remove it")
    return root
