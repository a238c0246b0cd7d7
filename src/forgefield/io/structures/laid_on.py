"""Lays the bonds, orders and charges of a SMILES on a geometry that has the same atoms in its own order."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from forgefield.errors import InputError
from forgefield.io.sources import SMILES
from forgefield.io.structures.drawn import graph_of, toolkit
from forgefield.molecules.bonds import matched, perceive_bonds
from forgefield.molecules.molecule import Molecule, Reference


def laid_on(drawn: Molecule, reference: Reference) -> Molecule:
    """Return a molecule from a SMILES with the atoms, positions and multiplicity of a reference, and what is drawn.

    Raises InputError where the bonds that the geometry has are not those that are drawn, or stereo or charge differ.
    """
    species, source = reference.species, ", ".join(reference.sources)
    bonds, _ = perceive_bonds(species, reference.positions)
    places = matched((drawn.species, drawn.bonds), (species, bonds))
    if places is None:
        raise InputError(
            f"{source}: its atoms and their bonds, as far as distances tell, are not those of {drawn.source}; check "
            "hydrogens and charges of the SMILES, and whether a proton has moved"
        )
    if drawn.charge != reference.charge:
        raise InputError(f"{source}: has the charge {reference.charge}, but {drawn.source} {drawn.charge}")
    found = replace(
        drawn,
        species=species,
        positions=reference.positions,
        bonds=places[drawn.bonds].reshape(-1, 2),
        formal_charges=None if drawn.formal_charges is None else drawn.formal_charges[np.argsort(places)],
        masses=reference.masses,
    )
    _require_stereo(found, source)
    return replace(found, multiplicity=reference.multiplicity)


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
