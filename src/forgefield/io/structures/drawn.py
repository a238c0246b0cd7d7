"""Structures as chemists draw them: graphs of RDKit with orders, charges and stereo, to molecules and back."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError, InputWarning
from forgefield.io.offenders import listed
from forgefield.io.structures.isotopes import isotope_mass
from forgefield.molecules.bonds import pieces
from forgefield.molecules.electrons import electron_problem, lowest_multiplicity
from forgefield.molecules.elements import NONMETALS
from forgefield.molecules.molecule import AROMATIC, ZERO_ORDER, Molecule, standard_masses, symbol

Graph = Any
"""A molecule of RDKit, which has no types of its own to speak of."""
SEED = 7
"""Of conformers."""
_LONGEST = 60
"""Seconds in which coordinates must be found."""
_MOST = 100_000
"""Ways to place double bonds that are tried."""
_MOST_RANKED = 100_000
"""Comparisons by which neighbours are ranked."""
_APART = 3.0
"""Å between pieces that are set side by side."""
_ORDERS = {
    "SINGLE": 1.0,
    "DOUBLE": 2.0,
    "TRIPLE": 3.0,
    "QUADRUPLE": 4.0,
    "AROMATIC": AROMATIC,
    "DATIVE": ZERO_ORDER,
    "ZERO": ZERO_ORDER,
}
_TRANSITION = {*range(21, 30), *range(39, 48), *range(57, 80), *range(89, 112)}
_STRICT = {7, 8}
"""Elements that never have more bonds than a charge explains."""


def toolkit() -> Any:
    """Return RDKit's module of molecules."""
    from rdkit import Chem  # noqa: PLC0415 (slow to load, and of use for drawn structures alone)

    return Chem


def drawn_molecule(source: str, name: str, graph: Graph, *, unpaired: int | None = None) -> Molecule:
    """Return the molecule of a graph that has coordinates and all hydrogens.

    The charge is the sum of the formal charges; `unpaired` are the electrons that are stated to be. Where none are,
    the multiplicity is the lowest: of a transition metal an InputWarning says so, and other molecules with an odd
    number of electrons are refused. Raises InputError, also for hydrogens that are missing.
    """
    tidied(source, graph)
    _require_complete(source, graph)
    species = np.array([atom.GetAtomicNum() for atom in graph.GetAtoms()], dtype=np.int64)
    formal = np.array([atom.GetFormalCharge() for atom in graph.GetAtoms()], dtype=np.int64)
    bonds, orders = _bonds(source, graph)
    return Molecule(
        name=name,
        species=species,
        positions=np.asarray(graph.GetConformer().GetPositions(), dtype=np.float64),
        bonds=bonds,
        orders=orders,
        charge=int(formal.sum()),
        multiplicity=_multiplicity(source, species, int(formal.sum()), unpaired),
        formal_charges=formal,
        masses=_masses(source, graph, species),
        source=source,
    )


def tidied(source: str, graph: Graph) -> None:
    """Give nitro groups and bonds from ligands to metals the form that all programs agree on, and count hydrogens.

    Raises InputError for bonds that the toolkit makes nothing of.
    """
    chem = toolkit()
    steps = chem.SanitizeFlags
    try:
        chem.SanitizeMol(graph, steps.SANITIZE_CLEANUP | steps.SANITIZE_CLEANUP_ORGANOMETALLICS)
    except RuntimeError:
        raise InputError(f"{source}: has bonds or charges that no atom can have; is the file damaged?") from None
    graph.UpdatePropertyCache(strict=False)


def _require_complete(source: str, graph: Graph) -> None:
    """Raise InputError that names the atoms whose bonds leave room for hydrogens, or ask for a charge."""
    chem = toolkit()
    bound = _at_metals(graph)
    short = [label(atom) for atom in graph.GetAtoms() if atom.GetTotalNumHs() and atom.GetIdx() not in bound]
    if short:
        raise InputError(
            f"{source}: hydrogens are missing at {listed(short)}; add them in the program that the structure comes "
            "from, or state the charge or the unpaired electron that is in their place (M  CHG, M  RAD)"
        )
    wrong = [
        graph.GetAtomWithIdx(problem.GetAtomIdx())
        for problem in chem.DetectChemistryProblems(graph)
        if problem.GetType() == "AtomValenceException"
    ]
    named = [label(a) for a in wrong if a.GetAtomicNum() in _STRICT and a.GetIdx() not in bound]
    if named:
        raise InputError(f"{source}: too many bonds at {listed(named)} for the charge; state it (M  CHG, or [N+])")


def _at_metals(graph: Graph) -> set[int]:
    """Return the metals of a graph and the atoms bonded to them, of which valence says nothing."""
    metals = [atom for atom in graph.GetAtoms() if atom.GetAtomicNum() not in NONMETALS]
    return {atom.GetIdx() for metal in metals for atom in (metal, *metal.GetNeighbors())}


def alternate(source: str, graph: Graph) -> None:
    """Give aromatic bonds alternating orders. Raises InputError where they cannot have any."""
    chem = toolkit()
    graph.UpdatePropertyCache(strict=False)
    if any(bond.GetIsAromatic() for bond in graph.GetBonds()):
        try:
            chem.Kekulize(graph, clearAromaticFlags=True)
        except (chem.KekulizeException, chem.AtomKekulizeException):
            raise InputError(
                f"{source}: the aromatic bonds cannot alternate; a charge or hydrogen is missing, or write single and "
                "double bonds"
            ) from None


def unpaired_electrons(graph: Graph) -> int:
    """Return how many electrons of a graph are unpaired, but for those of transition metals, which are not drawn."""
    atoms = [atom for atom in graph.GetAtoms() if atom.GetAtomicNum() not in _TRANSITION]
    return sum(atom.GetNumRadicalElectrons() for atom in atoms)


def label(atom: Any) -> str:
    """Return element and number of an atom."""
    return f"{atom.GetSymbol()}{atom.GetIdx() + 1}"


def _bonds(source: str, graph: Graph) -> tuple[Int[np.ndarray, "bonds 2"], Float[np.ndarray, " bonds"]]:
    pairs, orders, wrong = [], [], []
    for bond in graph.GetBonds():
        kind = str(bond.GetBondType())
        # Type 8 of the format, `any`, is how programs draw bonds to metals.
        stated = bond.GetPropsAsDict().get("_MolFileBondType")
        order = ZERO_ORDER if kind == "UNSPECIFIED" and stated == 8 else _ORDERS.get(kind)
        if order is None:
            wrong.append(f"{label(bond.GetBeginAtom())}-{label(bond.GetEndAtom())}")
            continue
        pairs.append((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
        orders.append(order)
    if wrong:
        raise InputError(f"{source}: bond(s) {listed(wrong)} have no one order: this is a query, not a structure")
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array(orders)


def _multiplicity(source: str, species: Int[np.ndarray, " atoms"], charge: int, unpaired: int | None) -> int:
    if unpaired:
        problem = electron_problem(species, charge, unpaired + 1)
        if problem:
            raise InputError(f"{source}: {problem}; check the charges and unpaired electrons")
        return unpaired + 1
    lowest = lowest_multiplicity(species, charge)
    if set(species.tolist()) & _TRANSITION:
        warn(
            InputWarning(f"{source}: the spin of the metal is not stated; multiplicity {lowest} is taken"), stacklevel=2
        )
    elif lowest > 1:
        raise InputError(
            f"{source}: an odd number of electrons with charge {charge} and no unpaired one stated; state the charge "
            "or the radical (M  CHG, M  RAD)"
        )
    return lowest


def _masses(source: str, graph: Graph, species: Int[np.ndarray, " atoms"]) -> Float[np.ndarray, " atoms"] | None:
    stated = {atom.GetIdx(): atom.GetIsotope() for atom in graph.GetAtoms() if atom.GetIsotope()}
    if not stated:
        return None
    masses = standard_masses(species).copy()
    for k, number in stated.items():
        mass = isotope_mass(int(species[k]), number)
        if mass is None:
            element = symbol(int(species[k]))
            raise InputError(f"{source}: {element}{k + 1}: there is no isotope {number}{element}")
        masses[k] = mass
    return masses


def conformer(source: str, graph: Graph) -> Graph:
    """Return a drawn graph with its hydrogens and coordinates made for it (ETKDG with one seed), its pieces in a row.

    An InputWarning names stereocentres and double bonds that are left open, and what was made of them. Raises
    InputError where no coordinates are found.
    """
    from rdkit import rdBase  # noqa: PLC0415 (as above)
    from rdkit.Chem import rdDistGeom  # noqa: PLC0415 (as above)

    chem = toolkit()
    open_ = [one for one in chem.FindPotentialStereo(graph) if one.specified == chem.StereoSpecified.Unspecified]
    whole = chem.AddHs(graph)
    settings = rdDistGeom.ETKDGv3()
    settings.randomSeed, settings.timeout = SEED, _LONGEST
    with rdBase.BlockLogs():
        made = any(rdDistGeom.EmbedMolecule(whole, settings) == 0 for _ in _less_and_less(settings))
    if not made:
        raise InputError(f"{source}: no coordinates are found that fit the drawing; give a structure that has them")
    if chosen := listed(list(filter(None, (_made(whole, one) for one in open_)))):
        warn(InputWarning(f"{source}: stereo is not stated: {chosen} was made; state it (@, @@, /, \\)"), stacklevel=3)
    rough = [label(a) for a in whole.GetAtoms() if a.GetAtomicNum() not in NONMETALS and a.GetDegree() > 1]
    if rough:
        said = f"{source}: the coordinates about {listed(rough)} are rough, and which isomer they are of is by chance"
        warn(InputWarning(f"{said}; check them, or give a structure that has them"), stacklevel=3)
    _set_apart(whole)
    return whole


def _less_and_less(settings: Any) -> Iterator[None]:
    """Ask less each time that there are no coordinates: a random start, then bent triple bonds (cyclooctyne's)."""
    yield
    settings.useRandomCoords = True
    yield
    settings.useBasicKnowledge = False
    yield


def conformers(molecule: Molecule, n: int, seed: int, apart: float) -> list[Molecule]:
    """Return up to n conformers of a molecule (ETKDG), with its bonds and its stereo.

    One whose heavy atoms are nearer than `apart` [Å, root mean square] to those of one before is left out. Bond orders
    are perceived where no bonds are stated. Raises InputError where hydrogens are missing, or no coordinates are found.
    """
    from rdkit import rdBase  # noqa: PLC0415 (as above)
    from rdkit.Chem import rdDistGeom  # noqa: PLC0415 (as above)

    chem = toolkit()
    source = molecule.source or molecule.name
    bonded = molecule if len(molecule.bonds) or molecule.n_atoms == 1 else _perceived(molecule, source)
    graph = graph_of(bonded, Path(source))
    settings = rdDistGeom.ETKDGv3()
    # RDKit multiplies the seed by the number of the conformer: with 0 all of them would be one.
    settings.randomSeed, settings.timeout, settings.pruneRmsThresh = seed + 1, _LONGEST, apart
    with rdBase.BlockLogs():
        try:
            chem.SanitizeMol(graph)
            chem.AssignStereochemistryFrom3D(graph)
            found = (list(rdDistGeom.EmbedMultipleConfs(graph, n, settings)) for _ in _less_and_less(settings))
            numbers = next(filter(None, found), [])
        except (chem.MolSanitizeException, RuntimeError) as error:
            raise InputError(f"{source}: no conformers can be made of it: {error}") from None
    if not numbers:
        raise InputError(f"{source}: no coordinates are found that fit its bonds; leave conformers out")
    for number in numbers:
        _set_apart(graph, number)
    return [replace(bonded, positions=np.array(graph.GetConformer(k).GetPositions())) for k in numbers]


def _perceived(molecule: Molecule, source: str) -> Molecule:
    """Return a molecule with the bonds and orders that its distances and its charge say. Raises InputError for none."""
    from rdkit.Chem import rdDetermineBonds  # noqa: PLC0415 (as above)

    graph = _atoms(molecule)
    try:
        rdDetermineBonds.DetermineBonds(graph, charge=molecule.charge)
    except ValueError:
        raise InputError(
            f"{source}: no orders of bonds fit its atoms with charge {molecule.charge}; are hydrogens missing? Else "
            "give a structure that states its bonds (.sdf, .mol2, smiles:…)"
        ) from None
    alternate(source, graph)
    bonds, orders = _bonds(source, graph)
    formal = np.array([atom.GetFormalCharge() for atom in graph.GetAtoms()], dtype=np.int64)
    return replace(molecule, bonds=bonds, orders=orders, formal_charges=formal)


def _made(graph: Graph, stereo: Any) -> str:
    """Say of a stereocentre or double bond that was left open which one was made; nothing where there are not two."""
    from rdkit.Chem import rdCIPLabeler  # noqa: PLC0415 (as above)

    chem = toolkit()
    seen = chem.Mol(graph)
    chem.AssignStereochemistryFrom3D(seen)
    # In cages the rules branch without end.
    with suppress(RuntimeError):
        rdCIPLabeler.AssignCIPLabels(seen, maxRecursiveIterations=_MOST_RANKED)
    if stereo.type == chem.StereoType.Atom_Tetrahedral:
        place = seen.GetAtomWithIdx(stereo.centeredOn)
        name = label(place)
    else:
        place = seen.GetBondWithIdx(stereo.centeredOn)
        name = f"{label(place.GetBeginAtom())}={label(place.GetEndAtom())}"
    return f"{name} {place.GetProp('_CIPCode')}" if place.HasProp("_CIPCode") else ""


def _set_apart(graph: Graph, number: int = -1) -> None:
    """Set the pieces of a molecule side by side, where the toolkit leaves them in one place."""
    pairs = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in graph.GetBonds()]
    parts = pieces(graph.GetNumAtoms(), np.array(pairs, dtype=np.int64).reshape(-1, 2))
    place = graph.GetConformer(number)
    positions = place.GetPositions()
    edge = None
    for part in parts:
        if edge is not None:
            positions[part, 0] += edge + _APART - positions[part, 0].min()
        edge = positions[part, 0].max()
    for k, position in enumerate(positions.tolist()):
        place.SetAtomPosition(k, position)


def graph_of(molecule: Molecule, path: Path) -> Graph:
    """Return a molecule as a graph with its coordinates, charges, isotopes and unpaired electrons.

    Raises InputError where it has no bonds, or partial ones.
    """
    chem = toolkit()
    if not len(molecule.bonds) and molecule.n_atoms > 1 and molecule.formal_charges is None:
        raise InputError(
            f"{path}: the file would hold no bonds, since {molecule.source or molecule.name} states none; give a "
            "structure that does (.mol2, .mae, .sdf, smiles:…)"
        )
    kinds = {order: getattr(chem.BondType, kind) for kind, order in reversed(_ORDERS.items())}
    kinds[ZERO_ORDER] = chem.BondType.DATIVE
    stated = list(zip(molecule.bonds.tolist(), molecule.orders.tolist(), strict=True))
    partial = [f"{i + 1}-{j + 1}" for (i, j), o in stated if o not in kinds]
    if partial:
        raise InputError(f"{path}: partial bonds ({listed(partial)}) cannot be held")
    graph = _atoms(molecule)
    for (i, j), order in stated:
        first, second = (j, i) if order == ZERO_ORDER and int(molecule.species[i]) not in NONMETALS else (i, j)
        graph.AddBond(first, second, kinds[order])
        if order == AROMATIC:
            ring = graph.GetBondBetweenAtoms(i, j)
            for place in (ring, ring.GetBeginAtom(), ring.GetEndAtom()):
                place.SetIsAromatic(True)
    alternate(str(path), graph)
    _add_unpaired(molecule, graph, path)
    return graph


def chemical_graph(molecule: Molecule, path: Path) -> Graph:
    """Return the graph in which substructures are searched; orders follow from the charge where all are single bonds.

    Raises InputError where there are no orders that fit.
    """
    from rdkit.Chem import rdDetermineBonds  # noqa: PLC0415 (as above)

    chem = toolkit()
    if len(molecule.bonds) and (molecule.orders != 1.0).any():
        graph = graph_of(molecule, path)
    else:
        graph = _atoms(molecule)
        for i, j in molecule.bonds.tolist():
            graph.AddBond(i, j, chem.BondType.SINGLE)
        try:
            rdDetermineBonds.DetermineBondOrders(graph, charge=molecule.charge, embedChiral=False, maxIterations=_MOST)
        except ValueError as error:
            raise InputError(
                f"{path}: no orders of bonds fit its atoms with charge {molecule.charge}: {error}"
            ) from None
    chem.SanitizeMol(graph)
    return graph


def _atoms(molecule: Molecule) -> Graph:
    """Return the atoms of a molecule in their places as a graph without bonds."""
    chem = toolkit()
    graph, place = chem.RWMol(), chem.Conformer(molecule.n_atoms)
    formal = np.zeros(molecule.n_atoms, dtype=int) if molecule.formal_charges is None else molecule.formal_charges
    for k, (z, charge) in enumerate(zip(molecule.species.tolist(), formal.tolist(), strict=True)):
        atom = chem.Atom(z)
        atom.SetFormalCharge(charge)
        if molecule.masses is not None and abs(molecule.masses[k] - standard_masses(molecule.species)[k]) > 0.5:
            atom.SetIsotope(round(float(molecule.masses[k])))
        graph.AddAtom(atom)
    for k, position in enumerate(molecule.positions.tolist()):
        place.SetAtomPosition(k, position)
    graph.AddConformer(place)
    return graph


def _add_unpaired(molecule: Molecule, graph: Graph, path: Path) -> None:
    """Put unpaired electrons where bonds leave room, as a reader would hydrogens."""
    graph.UpdatePropertyCache(strict=False)
    bound = _at_metals(graph)
    for atom in graph.GetAtoms():
        if atom.GetIdx() not in bound:
            atom.SetNumRadicalElectrons(atom.GetTotalNumHs())
        atom.SetNoImplicit(True)
    graph.UpdatePropertyCache(strict=False)
    found = unpaired_electrons(graph)
    if not bound and found != molecule.multiplicity - 1:
        raise InputError(
            f"{path}: bonds and charges leave {found} electron(s) unpaired, the multiplicity {molecule.multiplicity} "
            f"has {molecule.multiplicity - 1}; the file cannot say where they are"
        )
