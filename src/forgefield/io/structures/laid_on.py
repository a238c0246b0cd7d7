"""Lays the bonds, orders and charges of a SMILES on a geometry that has the same atoms in its own order."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError
from forgefield.io.sources import SMILES
from forgefield.io.structures.drawn import Graph, graph_of, toolkit
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule


def laid_on(
    drawn: Molecule, species: Int[np.ndarray, " atoms"], positions: Float[np.ndarray, "atoms 3"], source: str
) -> Molecule:
    """Return a molecule from a SMILES with the atoms and positions [Å] of a geometry, and what is drawn.

    Raises InputError where the bonds that the geometry has are not those that are drawn, or its stereo is another.
    """
    bonds, _ = perceive_bonds(species, positions)
    bare = _skeleton(species, bonds)
    match = bare.GetSubstructMatch(_skeleton(drawn.species, drawn.bonds))
    if len(match) != len(species) or len(bonds) != len(drawn.bonds) or drawn.n_atoms != len(species):
        raise InputError(
            f"{source}: its atoms and their bonds, as far as distances tell, are not those of {drawn.source}; check "
            "hydrogens and charges of the SMILES, and whether a proton has moved"
        )
    places = np.array(match, dtype=np.int64)
    found = replace(
        drawn,
        species=species,
        positions=positions,
        bonds=places[drawn.bonds].reshape(-1, 2),
        formal_charges=None if drawn.formal_charges is None else drawn.formal_charges[np.argsort(places)],
        masses=None if drawn.masses is None else drawn.masses[np.argsort(places)],
    )
    _require_stereo(found, source)
    return found


def _skeleton(species: Int[np.ndarray, " atoms"], bonds: Int[np.ndarray, "bonds 2"]) -> Graph:
    """Return elements and bonds alone."""
    chem = toolkit()
    graph = chem.RWMol()
    for z in species.tolist():
        graph.AddAtom(chem.Atom(z))
    for i, j in bonds.tolist():
        graph.AddBond(i, j, chem.BondType.SINGLE)
    return graph


def _require_stereo(found: Molecule, source: str) -> None:
    chem = toolkit()
    seen = graph_of(found, Path(source))
    chem.SanitizeMol(seen)
    chem.AssignStereochemistryFrom3D(seen)
    seen = chem.RemoveHs(seen)
    stated = chem.MolFromSmiles(found.source.removeprefix(SMILES).split()[0])
    if not seen.HasSubstructMatch(stated, useChirality=True):
        raise InputError(
            f"{source}: has another stereo than {found.source}: its own is {chem.MolToSmiles(seen)}; correct the SMILES"
        )
