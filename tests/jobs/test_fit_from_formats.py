"""Fits that start from a file of each format, whose rows are named by types, by a SMARTS and by the names of atoms."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import forgefield as ff
from certain import instance
from forgefield.assign.explicit.library import AbstractLibrary
from forgefield.assign.explicit.rules import SystemRules
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.prmtop import read_prmtop
from forgefield.io.molecules import read_structures
from forgefield.jobs.convert import convert_force_field
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from samples import write_shifted

EXAMPLES = Path(__file__).parents[2] / "examples"
FIT = """
[forcefield]
start = {start}
train = ["{train}"]
{more}
[[molecules]]
reference = "{reference}.xyz"
{structures}
[targets]
forces = {{ tolerance = 0.1 }}
[fit.prior]
strength = 1e-9
"""
STARTS = {
    "prmtop": ["lig.prmtop"],
    "gromacs": ["lig.top"],
    "lammps": ["lig.lmp"],
    "tinker": ["lig.key"],
    "openmm-system": ["lig.system.xml"],
    "openmm-xml": ["lig.xml"],
    "charmm": ["lig.psf", "lig.prm", "lig.rtf"],
    "frcmod": ["lig.frcmod"],
    "offxml": ["lig.offxml"],
}
OF_OPENMM = "openmm-system", "openmm-xml", "charmm"
CHAIN = 2, 1, 3, 8
"""The atoms O, C, N and H of N-methylacetamide, whose torsions are fitted."""
NAMES = ["O1", "C2", "N1", "H4"]
OF_ELEMENTS = ["O3", "C2", "N4", "H9"]
"""What they are called where a file has no names."""
SMARTS = "torsion smarts:[#1]-[#7]-[#6]=O"


class Folder:
    """N-methylacetamide with GAFF2 as a file of each format, written when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, word: str) -> str:
        """Return what FIT.toml calls the start of a format."""
        first = self.path / STARTS[word][0]
        if not first.is_file():
            over = [] if word == "openmm-system" else [self.path / "lig.inpcrd"]
            convert_force_field(self.path / "lig.prmtop", first, over=over, approximate=word == "offxml")
        return str(STARTS[word])

    def rules(self, word: str) -> SystemRules:
        """Return the force field of a start, laid over the molecule."""
        self.start(word)
        found = ff.load("+".join(str(self.path / name) for name in STARTS[word]))
        (structure,) = ff.read(self.path / self.mol2(word))
        return instance(SystemRules, found.over(structure.molecule) if isinstance(found, AbstractLibrary) else found)

    def mol2(self, word: str) -> str:
        """Return the structure with names and charges, of frcmod with types of its own."""
        return "lig.mol2" if word == "frcmod" else "nmethylacetamide.mol2"

    def fit(self, word: str, train: str, *, reference: str = "apart", more: str = "") -> Path:
        """Return a FIT.toml that starts from a format."""
        lays = word in ("openmm-xml", "frcmod", "offxml")
        structures = f'structures = "{self.mol2(word)}"' if lays else ""
        path = self.path / f"{word}.toml"
        path.write_text(
            FIT.format(start=self.start(word), train=train, more=more, reference=reference, structures=structures)
        )
        return path


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory) -> Folder:
    path = tmp_path_factory.mktemp("starts")
    for suffix in ("prmtop", "inpcrd", "mol2"):
        shutil.copy(data / "programs" / "amber" / f"nmethylacetamide.{suffix}", path)
    for suffix in ("prmtop", "inpcrd"):
        shutil.copy(path / f"nmethylacetamide.{suffix}", path / f"lig.{suffix}")
    rules = read_prmtop(path / "lig.prmtop")
    write_shifted(path / "apart.xyz", rules, read_structures(path / "lig.inpcrd", system=rules.system)[0])
    return Folder(path)


@pytest.mark.slow
@pytest.mark.openmm
def test_the_example_of_a_sulfonamide_ends_as_its_page_says_and_means_the_same_in_every_file(tmp_path):
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    folder = EXAMPLES / "sulfonamide"

    metrics = run_fit(prepare(folder / "FIT.toml"), tmp_path / "out").record.results["metrics"]

    energies = [metrics[when]["energy_rmsd_kcal_mol"] for when in ("start", "final")]
    np.testing.assert_allclose(energies, [2.00, 0.74], atol=0.01)
    native = ff.evaluate(tmp_path / "out", folder / "scan-sn.json").energies
    for suffix in ("prmtop", "top", "xml"):
        written = ff.evaluate(tmp_path / "out" / f"forcefield.{suffix}", folder / "scan-sn.json").energies
        np.testing.assert_allclose(written, native, atol=1e-6)
    report = (tmp_path / "out/report.html").read_text()
    assert all(f">{title}<" in report for title in ("Torsion profiles", "OpenMM", "AMBER", "GROMACS"))


def names_of(word: str) -> list[str]:
    return OF_ELEMENTS if word == "openmm-system" else NAMES


def named(rows) -> list[str]:
    return sorted(row.parameter_name(0) for row in rows)


@pytest.mark.openmm
@pytest.mark.parametrize("word", STARTS)
def test_types_atoms_and_a_smarts_name_the_same_rows(folder, word):
    if word in OF_OPENMM:
        pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    types = "-".join(folder.rules(word).system.types[a] for a in CHAIN)
    atoms = "-".join(names_of(word))

    by_smarts, by_types, by_atoms = (
        named(prepare(folder.fit(word, train)).rows) for train in (SMARTS, f"torsion {types}", f"torsion atoms:{atoms}")
    )

    assert len(by_smarts) == 2
    assert by_types == by_atoms == by_smarts


@pytest.mark.openmm
@pytest.mark.parametrize("word", STARTS)
def test_interactions_that_are_split_have_rows_of_their_own(folder, word):
    if word in OF_OPENMM:
        pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    names = names_of(word)

    rows = prepare(folder.fit(word, f"torsion {'-'.join(names)} *", more=f'split = ["{SMARTS}"]')).rows

    assert {row.types for row in rows} == {tuple(names)}
    assert len(rows) == 2


@pytest.mark.openmm
@pytest.mark.parametrize(
    ("start", "train", "more", "messages"),
    [
        (["lig.psf"], "torsion *", "", ["a topology (.prmtop, .top, .lmp, .key, .system.xml, .psf with its .prm)"]),
        (["lig.psf", "none.prm"], "torsion *", "", ["none.prm: there is no such file"]),
        (["lig.prmtop"], "smarts:[#7", "", ['"smarts:[#7" is no SMARTS']),
        (
            ["scaled.prmtop"],
            "torsion *",
            'write = ["gromacs", "lammps", "tinker"]',
            [
                'write = "lammps": forcefield.lmp: LAMMPS scales',
                'write = "tinker": forcefield.key: Tinker has one scale',
            ],
        ),
    ],
)
def test_what_cannot_be_started_from_or_written_is_one_message(folder, capfd, start, train, more, messages):
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    folder.start("charmm")
    text = (folder.path / "lig.prmtop").read_text()
    head, _, rest = text.partition("%FLAG SCEE_SCALE_FACTOR")
    (folder.path / "scaled.prmtop").write_text(
        f"{head}%FLAG SCEE_SCALE_FACTOR{rest.replace('1.20000000E+00', '1.50000000E+00', 1)}"
    )
    path = folder.path / "wrong.toml"
    path.write_text(FIT.format(start=start, train=train, more=more, reference="apart", structures=""))

    with pytest.raises(InputError) as raised:
        prepare(path)

    assert all(message in str(raised.value) for message in messages)
    assert "SMARTS Parse Error" not in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.openmm
@pytest.mark.parametrize("word", STARTS)
def test_fit_changes_the_rows_that_are_named_and_nothing_else(folder, tmp_path, word):
    if word in OF_OPENMM:
        pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    before = folder.rules(word)
    mol2 = folder.path / folder.mol2(word)
    (structure,) = ff.read(mol2)
    turned = named(prepare(folder.fit(word, SMARTS)).rows)
    write_shifted(folder.path / f"{word}-apart.xyz", before, structure.molecule, turned)

    path = folder.fit(word, SMARTS, reference=f"{word}-apart", more=f'write = ["{word}"]')
    outcome = run_fit(prepare(path), tmp_path / "out")

    moved = instance(SystemRules, ff.load(tmp_path / "out")).rowed.values - before.rowed.values
    np.testing.assert_allclose(np.sort(moved[moved != 0.0]), [-0.5, 1.0], atol=1e-3)
    assert outcome.record.results["fit"]["converged"]
    written = "+".join(str(tmp_path / "out" / name.replace("lig", "forcefield")) for name in STARTS[word])
    own = tmp_path / "out" / "forcefield.mol2" if word == "frcmod" else mol2
    np.testing.assert_allclose(
        ff.evaluate(written, own).energies, ff.evaluate(tmp_path / "out", own).energies, atol=1e-5
    )
