"""SMIRNOFF force fields laid over molecules: of the parameters whose SMARTS match, the last one counts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np
from jaxtyping import Float

from forgefield.assign.explicit.library import AbstractLibrary
from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.system import Stated, System, ThroughSpace
from forgefield.errors import InputError, InputWarning, MissingParameters
from forgefield.io.forcefields.charges import stated_charges
from forgefield.io.forcefields.openmm.system.nonbonded import COULOMB
from forgefield.io.forcefields.smirnoff.am1bcc import am1bcc_charges
from forgefield.io.forcefields.smirnoff.offxml import CHARGED_BY_OTHERS, Parameter, SmirnoffFile, read_offxml
from forgefield.io.offenders import listed
from forgefield.io.structures.drawn import Graph, chemical_graph, label, toolkit
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.paths import angles, bond_separations, torsions
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.nonbonded import LENNARD_JONES
from forgefield.terms.periodic import PERIODIC_IMPROPER, PERIODIC_TORSION
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.term import Term

_MOST_MATCHES = 1_000_000
_THREE_BONDS = 3

Chain = tuple[int, ...]
Key = Callable[[Chain], Chain]


@dataclass(frozen=True, eq=False, repr=False)
class SmirnoffRules(AbstractLibrary):
    """The parameters of a file."""

    file: SmirnoffFile

    def over(self, molecule: Molecule) -> SystemRules:
        """Return the force field of a molecule; atoms have the names of their van der Waals parameters as types.

        Rows are those of the file: interactions with one parameter share one. Raises InputError, and MissingParameters
        that lists what no SMARTS matches.
        """
        if not len(molecule.bonds):
            bonds, orders = perceive_bonds(molecule.species, molecule.positions)
            molecule = replace(molecule, bonds=bonds, orders=orders)
        graph = _graph(molecule)
        n, bonds, file = molecule.n_atoms, np.asarray(molecule.bonds), self.file
        _tell_constraints(file, graph, molecule)
        missing: list[str] = []

        def of(section: str, wanted: list[list[int]]) -> Iterator[tuple[Chain, Parameter]]:
            found = assigned(file.of(section), graph, _either_way)
            for chain in map(tuple, wanted):
                if (parameter := found.get(_either_way(chain))) is None:
                    missing.append(f"{section} {'-'.join(label(graph.GetAtomWithIdx(a)) for a in chain)}")
                else:
                    yield chain, parameter

        impropers = assigned(file.of("ImproperTorsions"), graph, _about_centre).items()
        interactions = (
            _stated(HARMONIC_STRETCH, of("Bonds", bonds.tolist())),
            _stated(HARMONIC_BEND, of("Angles", angles(n, bonds).tolist())),
            _stated(PERIODIC_TORSION, of("ProperTorsions", torsions(n, bonds).tolist())),
            _stated(PERIODIC_IMPROPER, ((chain, one) for key, one in impropers for chain in _trefoil(key))),
        )
        atoms = [parameter for _, parameter in of("vdW", [[a] for a in range(n)])]
        if missing:
            raise MissingParameters(
                f"{molecule.source or molecule.name}: no SMARTS of {file.source} matches {listed(missing)}"
            )
        return SystemRules(
            System.of_molecule(
                molecule,
                source=f"{file.source} over {molecule.name}",
                program="SMIRNOFF",
                types=tuple(parameter.name for parameter in atoms),
                interactions=interactions,
                through_space=ThroughSpace(
                    LENNARD_JONES,
                    np.array([parameter.values[0] for parameter in atoms]),
                    _charges(file, graph, molecule),
                    COULOMB,
                    *_near(file, bond_separations(n, bonds)),
                ),
            )
        )

    @property
    def holds(self) -> tuple[str, ...]:
        """How many rows each section has."""
        return ("rows by SMARTS", *(f"{len(rows)} {name}" for name, rows in self.file.sections.items() if rows))

    def __repr__(self) -> str:
        return f"SmirnoffRules({self.file.source})"

    def restored(self) -> "SmirnoffRules":
        """Return it as it is."""
        return self


def read_smirnoff(path: Path) -> SmirnoffRules:
    """Return the force field of a file. Raises InputError."""
    from rdkit import rdBase  # noqa: PLC0415 (slow to load)

    file = read_offxml(path)
    held = [one for section in file.sections.values() for one in section]
    with rdBase.BlockLogs():
        wrong = [one for one in held if toolkit().MolFromSmarts(one.smarts) is None]
    if wrong:
        raise InputError(f"{path}: no SMARTS are {listed([f'{one.smarts!r} ({one.name})' for one in wrong])}")
    return SmirnoffRules(file)


def assigned(parameters: tuple[Parameter, ...], graph: Graph, key: Key) -> dict[Chain, Parameter]:
    """Return the last parameter that matches atoms, by what is the same for the same interaction."""
    return {key(match): parameter for parameter in parameters for match in _matches(parameter.smarts, graph)}


def _either_way(chain: Chain) -> Chain:
    return min(chain, chain[::-1])


def _about_centre(chain: Chain) -> Chain:
    """Return an improper with the centre second and the others in ascending order."""
    first, second, third = sorted((chain[0], *chain[2:]))
    return first, chain[1], second, third


def _trefoil(chain: Chain) -> tuple[Chain, ...]:
    """Return the three impropers of a centre, with it first."""
    a, centre, b, c = chain
    return (centre, a, b, c), (centre, b, c, a), (centre, c, a, b)


def _matches(smarts: str, graph: Graph) -> Iterator[Chain]:
    """Yield the atoms of every match in the order of their numbers."""
    query = toolkit().MolFromSmarts(smarts)
    numbered = sorted((atom.GetAtomMapNum(), atom.GetIdx()) for atom in query.GetAtoms() if atom.GetAtomMapNum())
    for match in graph.GetSubstructMatches(query, uniquify=False, maxMatches=_MOST_MATCHES):
        yield tuple(match[place] for _, place in numbered)


def _graph(molecule: Molecule) -> Graph:
    """Return a molecule as SMARTS see it; orders follow from the charge where those of the file leave out charges."""
    chem, source = toolkit(), Path(molecule.source or molecule.name)
    try:
        graph = chemical_graph(molecule, source)
    except chem.MolSanitizeException:
        graph = None
    if graph is None or any(atom.GetTotalNumHs(includeNeighbors=False) for atom in graph.GetAtoms()):
        graph = chemical_graph(replace(molecule, orders=np.ones(len(molecule.bonds))), source)
    chem.Kekulize(graph, clearAromaticFlags=True)
    chem.SetAromaticity(graph, chem.AromaticityModel.AROMATICITY_MDL)
    return graph


def _stated(term: Term, interactions: Iterator[tuple[Chain, Parameter]]) -> Stated:
    held = [(chain, values, one.name) for chain, one in interactions for values in one.values]
    return Stated(
        term,
        np.array([chain for chain, _, _ in held], dtype=np.int64).reshape(-1, term.order),
        np.array([values for _, values, _ in held]).reshape(-1, term.n_own),
        tuple(name for _, _, name in held),
    )


def _near(file: SmirnoffFile, apart: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs up to three bonds apart and their scales."""
    pairs = np.argwhere(np.triu((apart > 0) & (apart <= _THREE_BONDS)))
    three = (apart[pairs[:, 0], pairs[:, 1]] == _THREE_BONDS)[:, None]
    return pairs, np.where(three, [[file.scale_vdw, file.scale_charge]], 0.0)


def _tell_constraints(file: SmirnoffFile, graph: Graph, molecule: Molecule) -> None:
    pairs = assigned(file.of("Constraints"), graph, _either_way)
    if pairs:
        warn(
            f"{file.source}: constrains {len(pairs)} distances of {molecule.name}, which move freely here, under their "
            "bonds' terms",
            InputWarning,
            stacklevel=3,
        )


def _charges(file: SmirnoffFile, graph: Any, molecule: Molecule) -> Float[np.ndarray, " atoms"]:
    """Return the charges of the atoms by the first method of the file that has them all.

    These are library charges; the structure's own, or those of AM1-BCC; and increments to formal charges. Raises
    InputError where there are none.
    """
    library: dict[int, float] = {}
    for parameter in file.of("LibraryCharges"):
        for match in _matches(parameter.smarts, graph):
            library |= dict(zip(match, parameter.values[0], strict=True))
    if len(library) == molecule.n_atoms:
        return np.array([library[a] for a in range(molecule.n_atoms)])
    if "ChargeIncrementModel" in file.sections:
        return _incremented(file, graph)
    if not any(name in file.sections for name in CHARGED_BY_OTHERS):
        raise InputError(f"{molecule.source or molecule.name}: {file.source} has no charges for it")
    return am1bcc_charges(molecule) if molecule.charges is None else stated_charges(molecule, file.source)


def _incremented(file: SmirnoffFile, graph: Any) -> Float[np.ndarray, " atoms"]:
    if file.method not in ("formal_charge", "zeros"):
        raise InputError(
            f"{file.source}: its ChargeIncrementModel starts from {file.method or 'unnamed'} charges, which ForgeField "
            "does not compute"
        )
    formal = [float(atom.GetFormalCharge()) for atom in graph.GetAtoms()]
    found = np.array(formal if file.method == "formal_charge" else [0.0] * len(formal))
    for atoms, parameter in _increments(file, graph).items():
        values = parameter.values[0]
        whole = values if len(values) == len(atoms) else (*values, -sum(values))
        found[list(atoms)] += whole
    return found


def _increments(file: SmirnoffFile, graph: Any) -> dict[Chain, Parameter]:
    """Return the last increments that match the same atoms, in the order of the match."""
    last: dict[frozenset[int], tuple[Chain, Parameter]] = {}
    for parameter in file.of("ChargeIncrementModel"):
        for match in _matches(parameter.smarts, graph):
            last[frozenset(match)] = match, parameter
    return dict(last.values())
