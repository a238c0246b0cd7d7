"""Relaxed scans from QCSchema, Gaussian and extended xyz: frames, energies, the dihedrals that were held."""

import json
from pathlib import Path

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.formats import format_of
from forgefield.io.molecules import read_structures
from forgefield.io.qm.torsion_drive import write_torsion_drive
from forgefield.io.references import read_reference
from forgefield.io.structures.xyz import write_xyz
from forgefield.molecules.measure import dihedrals
from forgefield.molecules.molecule import Dihedral, Molecule, Reference, symbol
from forgefield.molecules.scan_grid import Grid, Turned, full_turn
from samples import chain

SHIPPED = Path(__file__).parents[2] / "examples" / "butane" / "scan.json"
SPECIES = np.array([8, 6, 6, 8, 8])
QUADS = ((0, 1, 2, 3), (1, 2, 3, 4))


def frame(angles: tuple[float, ...], energy: float = -100.0) -> Reference:
    positions = chain(*angles)
    held = tuple(Dihedral(quad, float(np.radians(a))) for quad, a in zip(QUADS, angles, strict=False))
    gradient = np.cos(positions)
    told = {"energy": energy, "gradient": gradient, "level": "HF/STO-3G", "program": "by hand", "constraints": held}
    return Reference(SPECIES, positions, **told)


MOLECULE = Molecule("chain", SPECIES, chain(60.0))
FRAMES = [frame((60.0,), -100.0), frame((120.0,), -101.5), frame((180.0,), -103.0)]
GRID = Grid((Turned(QUADS[0], 60, 60, 180),))


def held_angles(references) -> np.ndarray:
    return np.degrees([[d.angle for d in reference.constraints] for reference in references])


def check_same(found, expected=FRAMES) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.positions, other.positions, atol=1e-6)
        np.testing.assert_allclose(one.gradient, other.gradient, atol=1e-6)
        np.testing.assert_allclose(one.energy, other.energy, atol=1e-6)
        assert [d.atoms for d in one.constraints] == [d.atoms for d in other.constraints]
    np.testing.assert_allclose(held_angles(found), held_angles(expected), atol=1e-3)


def test_chain_has_the_dihedrals_it_was_built_with():
    found = dihedrals(chain(60.0, -120.0)[np.array(QUADS)])

    np.testing.assert_allclose(np.degrees(found), [60.0, -120.0])


@pytest.mark.parametrize("name", ["scan.json", "scan.extxyz"])
def test_scan_is_written_and_read_back(tmp_path, name):
    path = tmp_path / name
    if path.suffix == ".json":
        write_torsion_drive(path, MOLECULE, GRID, FRAMES)
    else:
        write_xyz(path, FRAMES)

    check_same(read_reference([path]))
    assert [m.n_atoms for m in read_structures(path)] == [5, 5, 5]


def test_two_dihedrals_at_once_come_in_the_order_of_their_angles(tmp_path):
    grid = Grid((Turned(QUADS[0], 60, 60, 120), Turned(QUADS[1], 120, -60, 60)))
    frames = [frame(tuple(map(float, point)), -float(k)) for k, point in enumerate(grid.points)]

    write_torsion_drive(tmp_path / "scan.json", MOLECULE, grid, frames[::-1])

    check_same(read_reference([tmp_path / "scan.json"]), frames)


# Torsion drives in the layouts of other programs.


def record(reference: Reference) -> dict:
    return {
        "symbols": [symbol(z) for z in SPECIES],
        "geometry": (reference.positions / units.BOHR).tolist(),
        "connectivity": [[0, 1, 1.0]],
    }


def optimisation(reference: Reference, higher: float = 0.0, **told) -> dict:
    energy = known(reference.energy) / units.HARTREE
    last = {
        "molecule": record(reference),
        "driver": "gradient",
        "return_result": (known(reference.gradient) / units.HARTREE_PER_BOHR).tolist(),
    }
    return {
        "energies": [energy + 1.0, energy + higher],
        "final_molecule": record(reference),
        "trajectory": [last],
        **told,
    }


KEYS = ("60", "120", "180")
QCSCHEMA = {
    "schema_name": "qcschema_torsion_drive_output",
    "schema_version": 1,
    "success": True,
    "keywords": {"dihedrals": [[0, 1, 2, 3]], "grid_spacing": [60]},
    "input_specification": {"driver": "gradient", "model": {"method": "HF", "basis": "STO-3G"}},
    "optimization_spec": {"procedure": "geometric", "keywords": {}},
    "provenance": {"creator": "TorsionDrive"},
}
LAYOUTS = {
    "QCElemental 1": QCSCHEMA
    | {
        "final_energies": {k: known(f.energy) / units.HARTREE for k, f in zip(KEYS, FRAMES, strict=True)},
        "final_molecules": {k: record(f) for k, f in zip(KEYS, FRAMES, strict=True)},
        "optimization_history": {
            k: [optimisation(frame((float(k),), 5.0), 1.0), optimisation(f)] for k, f in zip(KEYS, FRAMES, strict=True)
        },
    },
    "only its history": QCSCHEMA
    | {"optimization_history": {f"[{k}]": [optimisation(f)] for k, f in zip(KEYS, FRAMES, strict=True)}},
    "QCElemental 2": {
        "schema_name": "qcschema_torsion_drive_result",
        "input_data": {
            "specification": {
                "keywords": {"dihedrals": [[0, 1, 2, 3]]},
                "specification": {"specification": {"model": {"method": "HF", "basis": "STO-3G"}}},
            }
        },
        "final_molecules": {k: record(f) for k, f in zip(KEYS, FRAMES, strict=True)},
        "scan_properties": {
            k: {"return_energy": known(f.energy) / units.HARTREE} for k, f in zip(KEYS, FRAMES, strict=True)
        },
        "scan_results": {
            k: [
                {
                    "properties": {"return_energy": known(f.energy) / units.HARTREE},
                    "trajectory_results": optimisation(f)["trajectory"],
                }
            ]
            for k, f in zip(KEYS, FRAMES, strict=True)
        },
    },
    "QCPortal": {
        "record_type": "torsiondrive",
        "specification": {
            "keywords": {"dihedrals": [[0, 1, 2, 3]]},
            "optimization_specification": {"qc_specification": {"method": "HF", "basis": "STO-3G"}},
        },
        "minimum_optimizations": {"[60]": 11},
        "optimization_records": {f"[{k}]": [optimisation(f)] for k, f in zip(KEYS, FRAMES, strict=True)},
    },
}


@pytest.fixture
def saved(tmp_path):
    def save(content: dict) -> Path:
        path = tmp_path / "scan.json"
        path.write_text(json.dumps(content))
        return path

    return save


@pytest.mark.parametrize("layout", LAYOUTS)
def test_torsion_drive_of_each_layout_is_read(saved, layout):
    path = saved(LAYOUTS[layout])

    found = read_reference([path])

    assert format_of(path).name == "torsion drive"
    check_same(found)
    assert {one.level for one in found} == {"HF/STO-3G"}


def test_dihedrals_frozen_besides_the_scan_are_held_too(saved):
    frozen = {"keywords": {"constraints": {"freeze": [{"type": "dihedral", "indices": [1, 2, 3, 4]}]}}}

    found = read_reference([saved(LAYOUTS["QCElemental 1"] | {"optimization_spec": frozen})])

    np.testing.assert_allclose(held_angles(found), [[60.0, 100.0], [120.0, 100.0], [180.0, 100.0]])


NUMBERED = {"optimization_history": {"[60]": ["11", "12"]}, "final_energy_dict": {"[60]": -1.0}}
WRONG_DRIVES = {
    "unfinished": (QCSCHEMA | {"success": False, "error": {"error_message": "no luck"}}, "did not end: no luck"),
    "no word of success": (QCSCHEMA | {"success": None}, "did not end"),
    "history": (QCSCHEMA | {"optimization_history": True}, "optimization_history is True, not an object"),
    "trajectory": (
        QCSCHEMA | {"optimization_history": {"60": [optimisation(FRAMES[0]) | {"trajectory": "x"}]}},
        "grid point 60: its trajectory is 'x', not a list",
    ),
    "numbers": (QCSCHEMA | NUMBERED, r"holds no geometry of \[60\], as records of the QCArchive"),
    "empty": (QCSCHEMA, "holds no geometry of any grid point"),
    "keys": (
        QCSCHEMA | {"final_molecules": {"60,90": record(FRAMES[0])}},
        r"grid point '60,90' has 2 angle\(s\), the scan 1 dihedral",
    ),
    "angle": (
        QCSCHEMA | {"final_molecules": {"75": record(FRAMES[0])}},
        r"O1-C2-C3-O4 is at 60\.00°, but stated to be held at 75\.00°",
    ),
    "atoms": (
        QCSCHEMA | {"keywords": {"dihedrals": [[0, 1, 2, 9]]}, "final_molecules": {"60": record(FRAMES[0])}},
        "dihedral 1-2-3-10 names an atom that is not there: the molecule has atoms 1 to 5",
    ),
    "distance": (
        QCSCHEMA
        | {"optimization_spec": {"keywords": {"constraints": {"set": [{"type": "distance", "indices": [0, 1]}]}}}},
        r"held more than dihedrals \(distance\)",
    ),
}


@pytest.mark.parametrize("name", WRONG_DRIVES)
def test_torsion_drive_that_cannot_be_used_is_refused(saved, name):
    content, message = WRONG_DRIVES[name]

    with pytest.raises(InputError, match=message):
        read_reference([saved(content)])


def test_short_geometry_of_an_optimisation_is_refused_by_its_grid_point(saved):
    last = optimisation(FRAMES[0])
    last["trajectory"][0]["molecule"]["geometry"] = last["trajectory"][0]["molecule"]["geometry"][:4]
    content = QCSCHEMA | {"final_molecules": {"60": record(FRAMES[0])}, "optimization_history": {"60": [last]}}

    with pytest.raises(InputError, match=r"grid point 60: 12 coordinates in the last step .* but 15 in its final"):
        read_reference([saved(content)])


def test_short_final_geometry_is_refused_by_its_grid_point(saved):
    short = record(FRAMES[0]) | {"geometry": [0.0] * 12}

    with pytest.raises(InputError, match=r"grid point 60: 5 symbols, but 12 coordinates"):
        read_reference([saved(QCSCHEMA | {"final_molecules": {"60": short}})])


def test_real_drive_that_has_lost_numbers_is_refused(data):
    with pytest.raises(InputError, match=r"grid point 15: 42 coordinates in the last step .* but 27 in its final"):
        read_reference([data / "cases" / "rel" / "torsiondrive-gradient-geometry-short.json"])


# Gaussian, as versions 03 to 16 print it.

RULE = " " + 69 * "-" + "\n"
START = """ Entering Gaussian System, Link 0=g16
 Charge =  0 Multiplicity = 1
 The following ModRedundant input section has been read:
{section}
 GradGradGradGradGradGradGradGradGradGradGradGradGradGradGradGradGradGrad
                           !    Initial Parameters    !
                           ! (Angstroms and Degrees)  !
 ! Name  Definition              Value          Derivative Info.                !
 ! R1    R(1,2)                  1.4            estimate D2E/DX2                !
{parameters} Number of optimizations in scan= {n:3d}

"""
END = """ 1\\1\\GINC-NODE63\\Scan\\RHF\\STO-3G\\C2F1O2\\ME\\24-Mar-2010\\0\\\\#N HF/S
 TO-3G Opt=ModRedundant\\\\scan\\\\0,1\\O,0.,0.,0.\\C,1.,0.,0.\\\\Version=1\\\\@
 Normal termination of Gaussian 16 at Wed Mar 24 18:45:46 2010.
"""


def numbers(rows: np.ndarray, middle: str) -> str:
    lines = [
        f"{i:5d}{z:11d}{middle}" + "".join(f"{v:16.9f}" for v in row) + "\n"
        for i, (z, row) in enumerate(zip(SPECIES, rows, strict=True), start=1)
    ]
    return "".join(lines)


def printed(reference: Reference, *, last: bool = True) -> str:
    """One step of an optimisation, the last of its point or not."""
    heading = RULE + " Center     Atomic\n Number     Number\n" + RULE
    forces = -known(reference.gradient) / units.HARTREE_PER_BOHR
    text = f"                          Input orientation:                          \n{heading}"
    text += numbers(reference.positions, "           0") + RULE
    text += f" Standard orientation:\n{heading}" + numbers(reference.positions + 1.0, "           0") + RULE
    text += f" SCF Done:  E(RHF) =  {known(reference.energy) / units.HARTREE:.10f}     A.U. after    7 cycles\n"
    text += " ***** Axes restored to original set *****\n" + RULE
    text += " Center     Atomic                   Forces (Hartrees/Bohr)\n Number     Number              X\n" + RULE
    text += numbers(forces, "    ") + RULE
    return text + (" Optimization completed.\n    -- Stationary point found.\n" if last else " Step number   1\n")


def log_of(
    frames=FRAMES, section=" D    1    2    3    4 S   2 60.000", scanned=(("1,2,3,4", "60.0", "Scan"),), n=3
) -> str:
    rows = "".join(
        f" ! D{k}    D({a})            {v}            {kind}          !\n" for k, (a, v, kind) in enumerate(scanned)
    )
    text = START.format(section=section, parameters=rows, n=n)
    for one in frames:
        text += printed(frame((61.0,), 99.0), last=False) + printed(one)
    return text + END


@pytest.fixture
def logged(tmp_path):
    def save(text: str) -> Path:
        path = tmp_path / "scan.log"
        path.write_text(text)
        return path

    return save


def test_gaussian_scan_gives_the_completed_frames(logged):
    path = logged(log_of())

    found = read_reference([path])

    assert format_of(path).name == "Gaussian relaxed scan"
    check_same(found)
    assert {(one.level, one.program, one.charge, one.multiplicity) for one in found} == {
        ("RHF/STO-3G", "Gaussian", 0, 1)
    }
    assert {one.stationary_order for one in found} == {None}


def test_gaussian_scan_of_two_dihedrals_with_a_negative_step(logged):
    frames = [
        frame((60.0, 100.0), -1.0),
        frame((60.0, 80.0), -2.0),
        frame((90.0, 80.0), -3.0),
        frame((90.0, 100.0), -4.0),
    ]
    section = " D 1 2 3 4 S 1 30.0\n D 5 4 3 2 S 1 -20.0"
    scanned = (("1,2,3,4", "60.0", "Scan"), ("2,3,4,5", "100.0", "Scan"))

    check_same(read_reference([logged(log_of(frames, section, scanned, n=4))]), frames)


def test_gaussian_optimisation_with_frozen_dihedral_is_a_scan_of_one_point(logged):
    text = log_of(FRAMES[:1], " D 1 2 3 4 F", (("1,2,3,4", "60.0", "frozen, calculate D2E/DX2"),), n=1)

    check_same(read_reference([logged(text)]), FRAMES[:1])


WRONG_LOGS = {
    "cut": (log_of([]), "0 of 3 points of the scan were optimised; finish the scan"),
    "off the grid": (
        log_of([*FRAMES[:2], frame((150.0,))]),
        r"point 3 of the scan: O1-C2-C3-O4 is at 150\.00°, but stated to be held at",
    ),
    "a distance": (
        log_of(scanned=(("1,2,3,4", "60.0", "Scan"),)).replace("estimate D2E/DX2", "Scan", 1),
        r"held R\(1,2\)",
    ),
    "correlated": (
        log_of().replace(" Optimization completed", " E2 = -0.1D+00 EUMP2 = -0.3D+02\n Optimization completed"),
        "an energy beyond SCF",
    ),
}


@pytest.mark.parametrize("name", WRONG_LOGS)
def test_gaussian_scan_that_cannot_be_used_is_refused(logged, name):
    text, message = WRONG_LOGS[name]

    with pytest.raises(InputError, match=message):
        read_reference([logged(text)])


STEPS_EXCEEDED = r" \(Number of steps exceeded\)"
STOPPED = " Optimization stopped.\n    -- Number of steps exceeded,  NStep=  20\n"


@pytest.mark.parametrize(("end", "why"), [("", ""), (STOPPED, STEPS_EXCEEDED)], ids=["cut", "stopped"])
def test_points_of_a_gaussian_scan_that_stopped_are_read(logged, end, why):
    path = logged(log_of(FRAMES[:2]).replace(END, end + END))

    with pytest.warns(InputWarning, match=f"2 of 3 points of the scan were optimised{why}; only these are read"):
        found = read_reference([path])

    check_same(found, FRAMES[:2])


# Extended xyz.


def extended(comment: str) -> str:
    rows = "\n".join(f"{symbol(z)} {x:.8f} {y:.8f} {w:.8f}" for z, (x, y, w) in zip(SPECIES, chain(60.0), strict=True))
    return f"5\n{comment}\n{rows}\n"


@pytest.mark.parametrize(
    "comment",
    [
        'dihedrals="1-2-3-4" dihedrals_deg=60 energy=-4.0',
        'dihedral=1-2-3-4 dihedral_deg="60.0" energy_ev=-4.0',
        f'Properties=species:S:1:pos:R:3 dihedral="1 2 3 4" energy_kcal_mol={-4.0 * units.ELECTRONVOLT}',
        f'dihedrals="1-2-3-4" energy_hartree={-4.0 * units.ELECTRONVOLT / units.HARTREE}',
        f"dihedrals=1-2-3-4 energy_kj_mol={-4.0 * units.ELECTRONVOLT / units.KILOJOULE}",
    ],
)
def test_extended_xyz_states_its_dihedrals_and_energy_in_words(tmp_path, comment):
    (tmp_path / "scan.xyz").write_text(2 * extended(comment))

    found = read_reference([tmp_path / "scan.xyz"])

    assert [one.constraints[0].atoms for one in found] == 2 * [QUADS[0]]
    np.testing.assert_allclose(held_angles(found), [[60.0], [60.0]], atol=1e-4)
    np.testing.assert_allclose([known(one.energy) for one in found], -4.0 * units.ELECTRONVOLT, rtol=1e-9)


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("dihedrals=1-2-3-4 dihedrals_deg=75", r"frame scan: O1-C2-C3-O4 is at 60\.00°, but stated to be held at 75"),
        ("dihedrals=1-2-3", "dihedral 1-2-3 is of 3 atoms"),
        ("dihedrals=1-2-3-3", "dihedral 1-2-3-3 names an atom twice"),
        ("dihedrals=0-1-2-3", "names an atom that is not there"),
        ("dihedrals=1-2-3-4 dihedrals_deg='60 60'", r"1 dihedral\(s\), but 2 angle\(s\)"),
        ("dihedrals=1-2-3-4 energy=1 energy_hartree=1", "states its energy more than once"),
    ],
)
def test_extended_xyz_with_wrong_dihedrals_is_refused(tmp_path, comment, message):
    (tmp_path / "scan.xyz").write_text(extended(comment))

    with pytest.raises(InputError, match=message):
        read_reference([tmp_path / "scan.xyz"])


def test_straight_angle_leaves_a_dihedral_undefined(tmp_path):
    positions = "O 0 0 0\nC 1 0 0\nC 2 0 0\nO 2 1 0\n"
    (tmp_path / "scan.xyz").write_text(f"4\ndihedrals=1-2-3-4\n{positions}")

    with pytest.raises(InputError, match=r"O1-C2-C3-O4 has an angle of 180\.0°, so its dihedral is undefined"):
        read_reference([tmp_path / "scan.xyz"])


def test_shipped_scan_of_butane_has_the_barriers_that_butane_has():
    found = read_reference([SHIPPED])
    angles, energies = held_angles(found)[:, 0], np.array([one.energy for one in found])

    relative = dict(zip(angles.round().astype(int).tolist(), (energies - energies.min()).tolist(), strict=True))

    np.testing.assert_array_equal(angles.round(6), np.arange(-165, 181, 15))
    # Anti below gauche below the eclipsed saddles; the two senses of rotation alike.
    assert relative[180] == 0.0 < relative[60] < relative[120] < relative[0]
    np.testing.assert_allclose(
        [relative[-a] for a in range(15, 180, 15)], [relative[a] for a in range(15, 180, 15)], atol=2e-3
    )
    grid = Grid((full_turn(QUADS[0], 15),))
    assert len(found) == len(grid.points)


def test_gradient_of_the_shipped_scan_is_along_the_rotation_only():
    found = read_reference([SHIPPED])
    angles, energies = held_angles(found)[:, 0], np.array([one.energy for one in found])
    # The energies are periodic, so the derivative of their Fourier series is exact but for its last waves.
    slope = np.fft.irfft(1j * np.arange(13) * np.fft.rfft(energies), 24)

    # Turned rigidly about the central bond, the far half moves along the scan.
    turned = []
    for one in found:
        axis = one.positions[2] - one.positions[1]
        far = [2, 3, 9, 10, 11, 12, 13]
        arms = np.cross(axis / np.linalg.norm(axis), one.positions[far] - one.positions[2])
        turned.append(float((known(one.gradient)[far] * arms).sum()))

    np.testing.assert_allclose(turned, slope, atol=0.05)
    assert np.abs(turned).max() > 4.0
    assert len(angles) == 24


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    1          8", "    1          x", "atomic numbers: 'x' cannot be read"),
        ("           0  ", "  ", "coordinates is damaged: its rows are not all of 5 or 6 columns"),
        ("SCF Done:  E(RHF) =", "SCF Done:  E(RHF   ", "expected the SCF energy, found 'SCF Done:"),
        ("0     ", "0 )(  ", "coordinates"),
    ],
)
def test_damaged_table_of_the_last_step_is_no_reason_to_take_an_earlier_one(logged, old, new, message):
    text = log_of(FRAMES[:1], n=1)
    before, last = text.rsplit("Input orientation", 1)
    assert old in last

    with pytest.raises(InputError, match=message):
        read_reference([logged(f"{before}Input orientation{last.replace(old, new, 1)}")])


def test_table_without_its_end_is_no_reason_to_take_an_earlier_one(logged):
    text = log_of(FRAMES[:1], n=1)
    before, last = text.rsplit("Input orientation", 1)

    with pytest.raises(InputError, match=r"the last table of coordinates is damaged|2 of|point 1 .* no SCF energy"):
        read_reference([logged(f"{before}Input orientation{last.replace(RULE, '')}")])
