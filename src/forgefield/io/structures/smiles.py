"""Structures from SMILES, with a conformer that is made for each."""

from dataclasses import replace
from pathlib import Path
from warnings import warn

from forgefield.errors import InputError, InputWarning, located
from forgefield.io.offenders import listed
from forgefield.io.sources import is_smiles
from forgefield.io.structures.drawn import Graph, conformer, drawn_molecule, label, toolkit, unpaired_electrons
from forgefield.io.text import read_text
from forgefield.molecules.molecule import Molecule

_HEAD = "smiles"
"""Begins the first line of tables whose columns have names."""


def read_smiles(path: Path) -> list[Molecule]:
    """Return the structure of each line of a file, a SMILES and perhaps a name, or of a path such as `smiles:CCO`.

    Coordinates are those of one conformer (ETKDG with a fixed seed), with all hydrogens; without a name a molecule is
    called by its formula. An InputWarning names stereo that is not stated. Raises InputError for what is no SMILES.
    """
    found = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split(maxsplit=1)
        if words and not line.startswith("#") and (number > 1 or words[0].lower() != _HEAD):
            found.append(_molecule(path, number, words[0], words[1].strip() if len(words) > 1 else ""))
    if not found:
        raise InputError(f"{path}: holds no SMILES")
    return found


def _molecule(path: Path, line: int, smiles: str, name: str) -> Molecule:
    from rdkit import rdBase  # noqa: PLC0415 (slow to load, and of use for drawn structures alone)

    chem = toolkit()
    place = str(path) if is_smiles(path) else located(path, line, smiles)
    with rdBase.BlockLogs():
        graph = chem.MolFromSmiles(smiles, sanitize=False)
        if graph is None or not graph.GetNumAtoms():
            advice = "; in a shell, put it in single quotes" if is_smiles(path) else ""
            raise InputError(f"{place}: is no SMILES{advice}")
        unknown = [f"atom {atom.GetIdx() + 1}" for atom in graph.GetAtoms() if not atom.GetAtomicNum()]
        if unknown:
            raise InputError(f"{place}: {listed(unknown)} is no element (*, R); replace it")
        _sanitised(place, graph)
        whole = conformer(place, graph)
        chem.Kekulize(whole, clearAromaticFlags=True)
        unpaired = unpaired_electrons(whole)
        found = drawn_molecule(place, name, whole, unpaired=unpaired)
    if unpaired > 1:
        said = f"{place}: {unpaired} unpaired electrons are drawn; multiplicity {found.multiplicity} is taken"
        warn(InputWarning(said), stacklevel=2)
    return replace(found, name=name or found.formula, source=str(path))


def _sanitised(place: str, graph: Graph) -> None:
    """Perceive valences, rings, aromaticity and stereo. Raises InputError that names wrong atoms."""
    chem = toolkit()
    try:
        chem.SanitizeMol(graph)
    except chem.AtomValenceException as error:
        atom = graph.GetAtomWithIdx(error.cause.GetAtomIdx())
        raise InputError(f"{place}: too many bonds at {label(atom)} for its charge; write it, such as [N+]") from None
    except chem.KekulizeException as error:
        ring = [label(graph.GetAtomWithIdx(k)) for k in error.cause.GetAtomIndices()]
        raise InputError(
            f"{place}: the aromatic atoms {listed(ring)} cannot have alternating bonds; write the hydrogen of nH, or "
            "a charge"
        ) from None
    except chem.MolSanitizeException as error:
        raise InputError(f"{place}: cannot be a molecule: {error}") from None
    chem.AssignStereochemistry(graph, cleanIt=True, force=True)
