"""What one file says of a structure must fit together, whatever its format."""

import json
from contextlib import nullcontext

import numpy as np
import pytest

from certain import known
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.merge import merged
from forgefield.io.assemble.parts import Part
from forgefield.io.molecules import read_structures
from forgefield.io.references import read_reference

BENT = np.array([[0.0, 0.0, 0.1], [0.0, 0.76, -0.5], [0.0, -0.76, -0.5]])
STRAIGHT = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.1], [0.0, 0.0, 2.3]])
ALMOST_STRAIGHT = STRAIGHT + np.array([[0.0, 0.0, 0.0], [0.01, 0.0, 0.0], [0.0, 0.0, 0.0]])


def refusal(make):
    """What is said, if anything."""
    try:
        make()
    except InputError as error:
        return str(error)
    return ""


def part(n_frequencies, positions=BENT, **changes):
    frequencies = 100.0 + np.arange(n_frequencies)
    told = {"species": np.array([8, 1, 1])[: len(positions)], "positions": positions, "frequencies": frequencies}
    return Part(source="a.out", **(told | changes))


@pytest.mark.parametrize(
    ("positions", "counts"),
    [(BENT, {3, 9}), (STRAIGHT, {4, 9}), (ALMOST_STRAIGHT, {3, 4, 9}), (BENT[:2], {1, 6}), (BENT[:1], {0, 3})],
    ids=["bent", "straight", "almost straight", "two atoms", "one atom"],
)
def test_frequencies_are_as_many_as_vibrations_or_coordinates(positions, counts):
    def fits(n):
        return not refusal(lambda: part(n, positions))

    assert {n for n in range(12) if fits(n)} == counts


def test_translations_printed_as_zeros_do_not_count():
    assert len(known(part(0, frequencies=np.array([0.0] * 5 + [10.0, 20.0, 30.0])).frequencies)) == 8


def test_direction_that_the_job_projected_out_is_not_missed():
    assert len(known(part(2, n_projected=1).frequencies)) == 2


def test_frequencies_of_another_file_are_counted_too():
    geometry = Part(source="a.xyz", species=np.array([8, 1, 1]), positions=BENT)
    printed = Part(source="b.txt", frequencies=np.array([1.0, 2.0]))

    with pytest.raises(InputError, match=r"b\.txt: 3 atoms have 3 vibrations, but there are 2 frequencies"):
        merged([geometry, printed])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positions": BENT * 1e11}, "positions: numbers of an impossible size"),
        ({"charge": 123456789}, "the charge 123456789 is impossible for 3 atom"),
        ({"charge": -13}, "the charge -13 is impossible"),
        ({"charge": 11}, "the charge 11 is impossible"),
        ({"charge": 0, "multiplicity": 2}, r"10 electrons \(charge 0\) cannot have multiplicity 2"),
        ({"charge": 0, "multiplicity": 13}, ".* cannot have multiplicity 13"),
        ({"charge": 0, "multiplicity": 0}, "multiplicity 0 is not positive"),
        ({"charge": 1, "multiplicity": -2}, "multiplicity -2 is not positive"),
        ({"masses": np.array([1e11, 1.0, 1.0])}, "masses must be 0.1 to 1000 amu"),
    ],
)
def test_what_no_molecule_can_be_is_refused(changes, message):
    with pytest.raises(InputError, match=f"a.out: {message}"):
        part(3, **changes)


def xyz(charge, multiplicity, x):
    return f"3\ncharge={charge} multiplicity={multiplicity}\nO 0 0 0\nH {x} 0 0\nH 0 0.9 0\n"


def extxyz(charge, multiplicity, x):
    head = f"Properties=species:S:1:pos:R:3 charge={charge} multiplicity={multiplicity}"
    return f"3\n{head}\nO 0 0 0\nH {x} 0 0\nH 0 0.9 0\n"


def jaguar(charge, multiplicity, x):
    return f"&gen\nmolchg={charge} multip={multiplicity}\n&\n&zmat\nO1 0 0 0\nH2 {x} 0 0\nH3 0 0.9 0\n&\n"


def fchk(charge, multiplicity, x):
    entries = {"Charge": ("I", charge), "Multiplicity": ("I", multiplicity)}
    head = "".join(f"{name:<43}{kind}{value:>17}\n" for name, (kind, value) in entries.items())
    atoms = f"{'Atomic numbers':<43}I   N={3:>12}\n8 1 1\n"
    geometry = f"{'Current cartesian coordinates':<43}R   N={9:>12}\n0 0 0 {x} 0 0 0 1.8 0\n"
    return f"water\nSP        RHF\n{head}{atoms}{geometry}{'Total Energy':<43}R{'-75.0':>27}\n"


def log(charge, multiplicity, x):
    fields = (
        "1\\1\\G\\SP\\RHF\\STO-3G\\H2O1\\ME\\1\\0",
        "#",
        "water",
        f"{charge},{multiplicity}\\O,0.,0.,0.\\H,{x},0.,0.\\H,0.,0.9,0.",
        "Version=1\\HF=-75.",
        "@",
    )
    joined = "\\\\".join(fields)
    return f" Entering Gaussian System\n {joined}\n Normal termination of Gaussian 16\n"


def qcschema(charge, multiplicity, x):
    number = float(x) if x.isascii() and "_" not in x else x
    told = {"molecular_charge": charge, "molecular_multiplicity": multiplicity}
    geometry = {"symbols": ["O", "H", "H"], "geometry": [0.0, 0.0, 0.0, number, 0.0, 0.0, 0.0, 1.8, 0.0]}
    return json.dumps({"schema_name": "qcschema_molecule", **geometry, **told})


def maestro(charge, multiplicity, x):
    columns = "i_m_mmod_type\n r_m_x_coord\n r_m_y_coord\n r_m_z_coord\n i_m_formal_charge"
    atoms = f"1 16 0 0 0 {charge}\n 2 42 {x} 0 0 0\n 3 42 0 0.9 0 0"
    return (
        f"f_m_ct {{\n i_m_Spin_multiplicity\n :::\n {multiplicity}\n"
        f" m_atom[3] {{\n {columns}\n :::\n {atoms}\n :::\n }}\n}}\n"
    )


FORMATS = {
    "a.xyz": xyz,
    "a.extxyz": extxyz,
    "a.in": jaguar,
    "a.fchk": fchk,
    "a.log": log,
    "a.json": qcschema,
    "a.mae": maestro,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_takes_a_possible_state(tmp_path, name):
    (tmp_path / name).write_text(FORMATS[name](1, 2, "0.9"), encoding="utf-8")

    (molecule,) = read_structures(tmp_path / name)

    assert (molecule.n_atoms, molecule.charge, molecule.multiplicity) == (3, 1, 2)


WRONG = [(123456789, 1, "0.9"), (0, 2, "0.9"), (0, 13, "0.9"), (0, 0, "0.9"), (0, -1, "0.9"), (0, 1, "1e11")]
WRONG += [(0, 1, "1_0"), (0, 1, "٩")]


@pytest.mark.parametrize("state", WRONG, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_refuses_what_no_molecule_can_be(tmp_path, name, state):
    (tmp_path / name).write_text(FORMATS[name](*state), encoding="utf-8")

    with pytest.raises(InputError, match=name):
        read_structures(tmp_path / name)


NEITHER = r"a\.xyz: states neither charge nor multiplicity, and a neutral molecule has 9 electrons"
HYDROXYL = {
    "a.xyz": "2\nhydroxyl\nO 0 0 0\nH 0.9 0 0\n",
    "a.mae": "f_m_ct {\n s_m_title\n :::\n hydroxyl\n m_atom[2] {\n i_m_mmod_type\n r_m_x_coord\n r_m_y_coord\n "
    "r_m_z_coord\n :::\n 1 16 0 0 0\n 2 42 0.9 0 0\n :::\n }\n}\n",
    "a.mol2": "@<TRIPOS>MOLECULE\nhydroxyl\n2 0\n\n@<TRIPOS>ATOM\n1 O1 0 0 0 O.3\n2 H1 0.9 0 0 H\n",
}


@pytest.mark.parametrize("name", HYDROXYL)
def test_state_that_no_file_states_is_one_that_the_electrons_can_have(tmp_path, name):
    (tmp_path / name).write_text(HYDROXYL[name])

    # A Maestro file states formal charges, and mol2 has no place for either.
    with pytest.warns(InputWarning, match=NEITHER) if name == "a.xyz" else nullcontext():
        (molecule,) = read_structures(tmp_path / name)

    assert (molecule.charge, molecule.multiplicity) == (0, 2)


@pytest.mark.parametrize(("comment", "state"), [("", (0, 2)), ("charge=-1", (-1, 1)), ("charge=1", (1, 1))])
def test_reference_that_states_no_multiplicity_has_a_possible_one(tmp_path, comment, state):
    (tmp_path / "a.xyz").write_text(HYDROXYL["a.xyz"].replace("hydroxyl", comment))

    with nullcontext() if comment else pytest.warns(InputWarning, match=NEITHER):
        (reference,) = read_reference([tmp_path / "a.xyz"])

    assert (reference.charge, reference.multiplicity) == state


@pytest.mark.parametrize("mass", [0.0, -1.008, 0.0999, np.nan])
def test_masses_of_no_atom_are_refused(mass):
    with pytest.raises(InputError, match=r"h\.log: masses must be 0\.1 to 1000 amu; found"):
        Part(source="h.log", masses=np.array([12.0, mass]))


def test_muonium_is_an_atom():
    # A muon has 206.768 masses of an electron of 5.4858e-4 amu, 0.1134 amu with its electron 0.1140.
    assert Part(source="mu.log", masses=np.array([0.114])).masses is not None
