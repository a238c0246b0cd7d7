"""Real structure files and listings, damaged at random, end in a result or in an error that a user is meant to read."""

from warnings import catch_warnings, simplefilter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from forgefield.errors import ForgeFieldError, InputWarning
from forgefield.io.listings.mmo import read_mmo
from forgefield.io.molecules import read_structures
from forgefield.io.structures.atom_types import read_atom_types
from forgefield.io.structures.mae import read_mae
from forgefield.io.structures.mol2 import read_mol2


def embedded(smiles: str) -> Chem.Mol:
    graph = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(graph, randomSeed=1)
    return graph


def molfile(smiles: str) -> str:
    return Chem.MolToMolBlock(embedded(smiles))


TYPES = "forcefield/atom.typ"
DRAWN = {
    "drawn.smi": "C[C@H]([NH3+])C(=O)[O-] alanine\n[Na+].[Cl-]\nF/C=C/F\nc1cc[nH]c1\n",
    "drawn.sdf": molfile("c1cc[nH]c1") + "$$$$\n" + molfile("C[C@H]([NH3+])C(=O)[O-]") + "$$$$\n",
    "drawn.pdb": Chem.MolToPDBBlock(embedded("NCC(=O)O")),
}
READERS = {
    "mae/*.mae": read_mae,
    "mol2/*.mol2": read_mol2,
    "mmo/*.mmo": read_mmo,
    TYPES: read_atom_types,
    **dict.fromkeys(DRAWN, read_structures),
}
PIECES = [
    "",
    "\n",
    " ",
    "{",
    "}",
    ":::",
    "<>",
    '"',
    "#",
    "@<TRIPOS>ATOM\n",
    "*****",
    "-7",
    "999999999999",
    "1e999",
    "nan",
    "é",
]
MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["delete word", "delete line", "repeat line", "swap lines", "truncate", "replace word", "insert"]
        ),
        st.floats(0.0, 1.0, exclude_max=True),
        st.sampled_from(PIECES),
    ),
    min_size=1,
    max_size=4,
)
FIXTURE_IS_FIXED = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


def mutated(text: str, mutations) -> str:
    for kind, where, piece in mutations:
        lines = text.splitlines(keepends=True) or ["\n"]
        at = int(where * len(lines))
        words = lines[at].split(" ")
        word = int(where * 1e6) % len(words)
        match kind:
            case "delete word" | "replace word":
                words[word : word + 1] = [piece] if kind == "replace word" else []
                lines[at] = " ".join(words)
            case "delete line" | "repeat line":
                lines[at] *= 0 if kind == "delete line" else 2
            case "swap lines":
                lines[at], lines[at - 1] = lines[at - 1], lines[at]
            case "truncate":
                lines = lines[:at]
            case "insert":
                lines[at] = piece + lines[at]
        text = "".join(lines)
    return text


def real_files(pattern, data):
    return sorted((data / "rh-enamide").glob(pattern))


@pytest.fixture(params=READERS)
def originals(request, data, tmp_path):
    """A reader, the texts of the real files that it reads, and a folder with their atom types."""
    if request.param != TYPES:
        (tmp_path / "atom.typ").write_text((data / "rh-enamide" / TYPES).read_text())
    if request.param in DRAWN:
        return READERS[request.param], {request.param: DRAWN[request.param]}, tmp_path
    files = real_files(request.param, data)
    return READERS[request.param], {path.name: path.read_text() for path in files}, tmp_path


def outcome(read, path) -> str:
    try:
        read(path)
    except ForgeFieldError as error:
        return str(error)
    return f"{path} is read"


def ends_well(read, path, text, mutations) -> None:
    path.write_text(mutated(text, mutations))

    with catch_warnings():
        simplefilter("ignore", InputWarning)
        assert str(path) in outcome(read, path)


@pytest.mark.slow
@settings(max_examples=50, derandomize=True, **FIXTURE_IS_FIXED)
@given(MUTATIONS, st.integers(0, 8))
def test_damaged_file_ends_in_a_result_or_a_clear_error(originals, mutations, choice):
    read, texts, folder = originals
    name = sorted(texts)[choice % len(texts)]
    ends_well(read, folder / name, texts[name], mutations)


@pytest.mark.slow
@settings(max_examples=60, **FIXTURE_IS_FIXED)
@given(MUTATIONS, st.integers(0, 8))
def test_damaged_files_end_well_many_times(originals, mutations, choice):
    read, texts, folder = originals
    name = sorted(texts)[choice % len(texts)]
    ends_well(read, folder / name, texts[name], mutations)
