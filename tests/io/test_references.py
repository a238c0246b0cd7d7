import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.consistency import check_frequencies
from forgefield.io.formats import format_of
from forgefield.io.molecules import read_structures
from forgefield.io.references import matching_files, pair, read_columns, read_files, read_reference
from forgefield.io.structures.atom_types import read_atom_types
from forgefield.io.structures.sdf import write_sdf

WATER = "3\ncharge=1\nO 0 0 0.1\nH 0 0.7 -0.4\nH 0 -0.7 -0.4\n"


def read_references(patterns, root):
    """Read the files of several patterns, which are merged."""
    return read_columns([matching_files(root, pattern) for pattern in patterns])


@pytest.fixture
def folder(tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.xyz").write_text(WATER)
        (tmp_path / f"{name}.txt").write_text(f"# energy\n{-ord(name)}.0\n")
    return tmp_path


def test_files_of_several_patterns_are_merged_in_sorted_order(folder):
    first, second = read_references(["*.xyz", "*.txt"], root=folder)

    assert (first.sources, second.sources) == tuple(
        (str(folder / f"{name}.xyz"), str(folder / f"{name}.txt")) for name in "ab"
    )
    assert known(first.energy) > known(second.energy)


def test_one_pattern_gives_one_reference_for_each_file(folder):
    assert [reference.charge for reference in read_references(["*.xyz"], root=folder)] == [1, 1]


def test_absolute_patterns_and_names_with_brackets_are_found(folder):
    (folder / "c[1].xyz").write_text(WATER)

    assert len(read_references([str(folder / "*.xyz")], root=Path())) == 3
    assert len(read_references(["c[1].xyz"], root=folder)) == 1


def test_listed_files_are_merged_by_format(folder):
    references = read_files([folder / name for name in ("b.txt", "a.txt", "b.xyz", "a.xyz")])

    assert [reference.sources[0] for reference in references] == [str(folder / "a.txt"), str(folder / "b.txt")]


def test_of_several_structures_that_of_another_file_is_taken(folder):
    (folder / "a.xyz").write_text(WATER + WATER.replace("0.7 ", "0.8 "))
    (folder / "b.extxyz").write_text(WATER.replace("charge=1", "charge=1 energy_hartree=-76.0"))

    with pytest.warns(InputWarning, match=r"a\.xyz: of its 2 structures only a-1 is that of the other files"):
        (reference,) = read_reference([folder / "a.xyz", folder / "b.extxyz"])
    assert reference.energy is not None


def test_frames_of_one_file_are_references_of_their_own(folder):
    (folder / "a.xyz").write_text(WATER + WATER)

    assert len(read_references(["a.xyz"], root=folder)) == 2
    with pytest.raises(InputError, match=r"cannot be merged: 2 in .*a\.xyz, 1 in .*a\.txt"):
        read_references(["a.xyz", "a.txt"], root=folder)


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["*.fchk"], r"'\*\.fchk' matches no file in"),
        (["*.xyz", "a.txt"], r"as many of each kind; found\n  2: .*a\.xyz, .*b\.xyz\n  1: .*a\.txt"),
        ([""], "'' matches no file in"),
        (["."], r"'\.' matches no file in"),
        (["**.fchk"], r"'\*\*\.fchk' matches no file in"),
        (["///nowhere/*.log"], "'///nowhere/\\*.log' matches no file in"),
        (["a.cub"], r"a\.cub: the suffix '\.cub' is not known; known are \.xyz, "),
        (["a.inpcrd"], "holds positions without elements; give it with the topology"),
        (["a.fld"], r"a file in MM3\* format holds no QM results; give the file of a QM job"),
        (["a.out"], "is neither Jaguar output nor Gaussian relaxed scan nor Gaussian rigid scan nor Gaussian output"),
        (["n.txt"], "is neither frequencies nor energy, .* no comment .* or name that says `frequencies` or `energy`"),
    ],
)
def test_files_that_cannot_be_used_are_named(folder, patterns, message):
    for name in ("a.cub", "a.out", "n.txt", "a.fld", "a.inpcrd"):
        (folder / name).write_text("1.0\n")

    with pytest.raises(InputError, match=message):
        read_references(patterns, root=folder)


ETHANE = [
    pytest.param(patterns, name, id=f"{name}-{patterns[0]}-first")
    for name in ("GS", "TS")
    for patterns in (["fchk", "log"], ["log", "fchk"], ["log"])
]


@pytest.mark.parametrize(("suffixes", "name"), ETHANE)
def test_ethane_reproduces_its_frequencies(data, suffixes, name):
    (reference,) = read_references([f"ethane/{name}.{suffix}" for suffix in suffixes], root=data)

    check = known(check_frequencies(reference))

    assert (check.projected, check.deviation < 3e-4) == (True, True)
    assert np.sum(known(reference.frequencies) < 0) == reference.stationary_order


@pytest.mark.parametrize(("name", "geometry"), [("ch3f", "ch3f-optimized"), ("sn2", "sn2-ts-optimized")])
def test_psi4_files_reproduce_their_frequencies(data, name, geometry):
    kinds = ("hessian.npy", "frequencies.txt", "energy.txt")

    # The file of an anion does not say so.
    with nullcontext() if name == "ch3f" else pytest.warns(InputWarning, match="states neither charge"):
        (reference,) = read_references([f"{name}/{geometry}.xyz", *(f"{name}/*-{kind}" for kind in kinds)], root=data)

    assert known(check_frequencies(reference)).deviation < 1e-6
    assert reference.level == "b3lyp/6-31+G(d)"


@pytest.fixture(scope="module")
def rhodium(data):
    return read_references(["rh-enamide/jaguar/*.in", "rh-enamide/jaguar/*.out"], root=data)


def test_nine_jaguar_jobs_reproduce_their_frequencies(rhodium):
    checks = [known(check_frequencies(reference)) for reference in rhodium]

    assert [check.projected for check in checks] == [True] * 9
    assert max(check.deviation for check in checks) < 0.006
    # Two decimals are printed, and each job has the one imaginary mode of a transition state.
    assert [np.sum(reference.frequencies < 0) for reference in rhodium] == [1] * 9
    assert {(reference.charge, reference.level) for reference in rhodium} == {(1, "B3LYP/LACVP**")}


def test_reading_the_largest_files_takes_few_calls_a_line(data, calls_of):
    files = [path for path in data.glob("rh-enamide/jaguar/5*") if path.suffix in (".in", ".out")]
    n_lines = sum(len(path.read_text(encoding="latin-1").splitlines()) for path in files)

    n_calls = sum(calls_of(read_structures, path) for path in files)

    # Nine a line, and seven times as many where every call is checked.
    assert n_calls < 150 * n_lines


def test_hessian_of_another_job_is_refused(data, tmp_path):
    shutil.copy(data / "ethane/GS.fchk", tmp_path / "a.fchk")
    (tmp_path / "frequencies.txt").write_text("\n".join(["312.9"] * 18))

    with pytest.raises(InputError, match="the Hessian contradicts the printed frequencies"):
        read_references(["a.fchk", "frequencies.txt"], root=tmp_path)


def test_molecule_is_paired_in_whatever_frame_it_is(data):
    (molecule,) = read_structures(data / "ethane/GS.log")
    (reference,) = read_references(["ethane/GS.fchk"], root=data)

    assert pair(molecule, reference) is reference


@pytest.mark.parametrize("suffix", ["mae", "mol2"])
def test_nine_structure_files_pair_with_their_jobs(data, rhodium, suffix):
    types = read_atom_types(data / "rh-enamide/forcefield/atom.typ")
    paths = sorted((data / "rh-enamide" / suffix).iterdir())
    molecules = [molecule for path in paths for molecule in read_structures(path, atom_types=types)]

    paired = [pair(molecule, reference) for molecule, reference in zip(molecules, rhodium, strict=True)]

    assert paired == rhodium


def test_molecule_of_another_order_is_not_paired(data):
    (molecule,) = read_structures(data / "ethane/GS.fchk")
    (reference,) = read_references(["ethane/GS.fchk"], root=data)
    order = [1, 0, 2, 3, 4, 5, 6, 7]
    swapped = replace(molecule, species=molecule.species[order], positions=molecule.positions[order])

    with pytest.raises(InputError, match=r"another order .*: atom 1 is C in .*GS\.fchk, H in .*GS\.fchk"):
        pair(swapped, reference)


@pytest.mark.parametrize("path", ["ethane/TS.fchk", "ethane/TS.log"])
def test_structure_of_a_qm_file_has_its_charge(data, path):
    (molecule,) = read_structures(data / path)

    assert (molecule.n_atoms, molecule.charge, molecule.multiplicity, molecule.name) == (8, 0, 1, "TS")


def test_structures_of_every_kind_of_geometry(data):
    jaguar = sorted((data / "rh-enamide/jaguar").iterdir())[:2]

    assert [read_structures(path)[0].charge for path in jaguar] == [1, 1]
    with pytest.warns(InputWarning, match="states neither charge nor multiplicity"):
        assert len(read_structures(data / "sn2/complex-optimized.xyz")) == 1
    with pytest.raises(InputError, match="a file in NumPy Hessian format holds no geometry"):
        read_structures(data / "ch3f/ch3f-hessian.npy")
    with pytest.raises(InputError, match=r"holds positions without elements; .* \(\.prmtop, \.top, \.lmp, \.key\)"):
        read_structures(data / "sn2/tinker-mm3/sn2-ts.xyz")


@pytest.mark.parametrize(
    ("name", "other", "form"),
    [
        ("ethane/GS.log", "GS.txt", "Gaussian output"),
        ("cases/qmfiles/jaguar-lmp2.out", "water", "Jaguar output"),
    ],
)
def test_file_is_known_by_its_content_where_its_suffix_says_something_else(data, tmp_path, name, other, form):
    path = shutil.copyfile(data / name, tmp_path / other)

    assert format_of(path).name == form
    np.testing.assert_array_equal(read_structures(path)[0].species, read_structures(data / name)[0].species)


@pytest.mark.parametrize("suffix", ["sdf", "mol"])
def test_a_structure_gives_its_bonds_and_charges_to_a_hessian(suffix, tmp_path):
    write_sdf(tmp_path / f"ion.{suffix}", read_structures(Path("smiles:[OH-]")))
    (bare,) = read_reference([tmp_path / f"ion.{suffix}"])
    hessian = np.zeros((6, 6))
    along = np.concatenate([bare.positions[0] - bare.positions[1], bare.positions[1] - bare.positions[0]])
    hessian += np.outer(along, along)
    np.save(tmp_path / "ion.npy", hessian / units.HARTREE_PER_BOHR2 * 700.0)

    (found,) = read_reference([tmp_path / f"ion.{suffix}", tmp_path / "ion.npy"])

    assert found.contents == ("Hessian",)
    assert known(found.bonds).tolist() == [[0, 1]]
    assert (found.charge, known(found.formal_charges).tolist()) == (-1, [-1, 0])
