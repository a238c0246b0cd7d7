"""Files of programs in the layouts that their sources and manuals document, each of one nitrogen molecule."""

import json
import struct

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError
from forgefield.io.formats import format_of
from forgefield.io.references import read_reference
from forgefield.molecules.molecule import standard_masses

LENGTH = 1.1
"""Å"""
FREQUENCY = 2350.25
"""cm⁻¹"""
ENERGY, SLOPE = -109.25, 0.004
"""Hartree, Hartree/Bohr"""
MASS = float(standard_masses(np.array([7]))[0])
STIFFNESS = 0.5 * MASS * (FREQUENCY / units.WAVENUMBER) ** 2 / units.HARTREE_PER_BOHR2
"""Hartree/Bohr², of the stretch that has this frequency."""
HESSIAN = np.zeros((6, 6))
HESSIAN[np.ix_((2, 5), (2, 5))] = STIFFNESS * np.array([[1.0, -1.0], [-1.0, 1.0]])
BOHRS = LENGTH / units.BOHR

CP2K = f"""
 CP2K| version string:                                          CP2K version 9.1
 GLOBAL| Run type                                           VIBRATIONAL_ANALYSIS
 DFT| Multiplicity                                                             1
 DFT| Charge                                                                   0
 FUNCTIONAL| PBE:
 MODULE QUICKSTEP: ATOMIC COORDINATES IN ANGSTROM

    Atom Kind Element         X             Y             Z       Z(eff)     Mass
       1    1 N      7    0.000000    0.000000    0.000000    5.0000   14.0067
       2    1 N      7    0.000000    0.000000    {LENGTH:f}    5.0000   14.0067

 VIB|                        NORMAL MODES - CARTESIAN DISPLACEMENTS
 VIB|
 VIB|                             1
 VIB|Frequency (cm^-1)  {FREQUENCY:12.6f}
 VIB|Red.Masses (a.u.)     14.003074
 VIB|               Electronic energy (U) [kJ/mol]:   {ENERGY * units.HARTREE / units.KILOJOULE:26.8f}
 **** **** ******  **  PROGRAM ENDED AT                 2024-01-01 00:00:00.000
"""
CELL = """ CELL| Vector a [angstrom]:      12.000     0.000     0.000    |a| =      12.000
 CELL| Vector b [angstrom]:       0.000    12.000     0.000    |b| =      12.000
 CELL| Vector c [angstrom]:       0.000     0.000     2.500    |c| =       2.500
"""
AIMS = f"""
          Invoking FHI-aims ...
          FHI-aims version      : 221103
  XC: Using PBE gradient-corrected functionals.
  Charge =   0.000000E+00: Neutral system requested explicitly.
  Input geometry:
  | No unit cell requested.
  | Atomic structure:
  |       Atom                x [A]            y [A]            z [A]
  |    1: Species N             0.00000000        0.00000000        0.00000000
  |    2: Species N             0.00000000        0.00000000        1.30000000

  | Total energy uncorrected      :         -0.29500E+04 eV
  Updated atomic structure:
                         x [A]             y [A]             z [A]
            atom         0.00000000        0.00000000        0.00000000  N
            atom         0.00000000        0.00000000        {LENGTH:.8f}  N

  | Total energy uncorrected      :   {ENERGY * units.HARTREE / units.ELECTRONVOLT:.12E} eV
  Total atomic forces (unitary forces cleaned) [eV/Ang]:
  |    1    0.0 0.0  {-SLOPE * units.HARTREE_PER_BOHR / units.ELECTRONVOLT:.12E}
  |    2    0.0 0.0  {SLOPE * units.HARTREE_PER_BOHR / units.ELECTRONVOLT:.12E}

  Present geometry is converged.
          Have a nice day.
"""
AMS = f"""
 * Amsterdam Modeling Suite (AMS) *
 AMS 2023.101  RunTime: Jan01-2023
Atoms
  Index Symbol   x (angstrom)   y (angstrom)   z (angstrom)
      1      N     0.00000000     0.00000000     0.00000000
      2      N     0.00000000     0.00000000     {LENGTH:.8f}

Total System Charge             0.00000
Energy (hartree)            {ENERGY:.8f}

Gradients (hartree/bohr)
  Index   Atom            d/dx            d/dy            d/dz
      1      N    0.0000000000    0.0000000000    {SLOPE:.10f}
      2      N    0.0000000000    0.0000000000   {-SLOPE:.10f}
 -----------------------
 Normal Mode Frequencies
 -----------------------

 Index   Frequency (cm-1)   Intensity (km/mol)   Irrep
     6          {FREQUENCY:.4f}               0.0000    SIGMA

 Mode:     6      Frequency (cm-1):     {FREQUENCY:.4f}     Intensity (km/mol):        0.0000
 Index  Atom      ---- Displacements (x/y/z) ----
     1     N       0.000000   0.000000   0.707107
     2     N       0.000000   0.000000  -0.707107

NORMAL TERMINATION
"""
ADF = f"""
 *   Amsterdam Density Functional  (ADF)         2017                          *
 Net Charge: 0 (Nuclei minus Electrons)
 <Jan01-2019> <00:00:00>  GEOMETRY CONVERGED
  Coordinates in Geometry Cycle 3
    Atom         X           Y           Z   (Angstrom)
    1.N         0.000000    0.000000    0.000000
    2.N         0.000000    0.000000    {LENGTH:f}
 <Jan01-2019> <00:00:01>  >>>> CORORT
 <Jan01-2019> <00:00:01>  NORMAL TERMINATION
"""
ADF_POINT = f"""
 *   Amsterdam Density Functional  (ADF)         2017                          *
    LDA:                               VWN
    Gradient Corrections:              Becke88 Perdew86                        == Not Default ==
 *  R U N   T Y P E : SINGLE POINT  *

 ATOMS
 =====                            X Y Z                    CHARGE
                                (Angstrom)             Nucl     +Core       At.Mass
                       --------------------------    ----------------       -------
    1  N               0.0000    0.0000    0.0000      7.00      7.00       14.0031
    2  N               0.0000    0.0000    {LENGTH:.4f}      7.00      7.00       14.0031

 FRAGMENTS
 =========                                     Atoms in this Fragment     Cart. coord.s (Angstrom)
                                               -------------------------------------------------------
    1  N                                                 1  N            0.0000    0.0000    0.0000
    2  N                                                 2  N            0.0000    0.0000    {LENGTH:.4f}

 Net Charge: 0 (Nuclei minus Electrons)
Total Bonding Energy:             {ENERGY:.12f}        -22.6888          -523.22         -2189.14
  Total Bonding Energy:           {ENERGY:.12f}        -22.6888          -523.22         -2189.14
 NORMAL TERMINATION
"""
XML = f"""<?xml version="1.0"?>
<molpro xmlns="http://www.molpro.net/schema/molpro-output" xmlns:cml="http://www.xml-cml.org/schema"><job>
<platform><version major="2023" minor="1">2023.1<date year="2023"/></version></platform>
<jobstep command="RHF-SCF"><cml:molecule><cml:atomArray>
<cml:atom id="a1" elementType="N" x3="0.0" y3="0.0" z3="0.0"/>
<cml:atom id="a2" elementType="N" x3="0.0" y3="0.0" z3="{LENGTH}"/>
</cml:atomArray></cml:molecule>
<property name="Energy" method="RHF" principal="true" value="-108.9"/></jobstep>
<jobstep command="MP2"><property name="Energy" method="MP2" principal="true" value="{ENERGY}"/>
<property name="Energy" method="SCS-MP2" value="-109.1"/><summary overall_method="MP2/cc-pVDZ"/>
<gradient>0.0 0.0 {SLOPE}
 0.0 0.0 {-SLOPE}</gradient>
<vibrations><masses>{MASS} {MASS}</masses>
<normalCoordinate wavenumber="0.0" real_zero_imag="Z">1.0 0.0 0.0 1.0 0.0 0.0</normalCoordinate>
<normalCoordinate wavenumber="{FREQUENCY}" real_zero_imag="R">0.0 0.0 0.7 0.0 0.0 -0.7</normalCoordinate>
</vibrations></jobstep></job></molpro>
"""
ORCA = json.dumps(
    {
        "Calculation_Info": {"CHARGE": 0, "MULT": 1},
        "Calculation_Status": {"PROGNAME": "LeanSCF", "STATUS": "NORMAL TERMINATION", "VERSION": "6.1.0"},
        "Geometries": [
            {"Geometry": {"Coordinates": {"Units": "a.u.", "Cartesians": [["N", 0, 0, 0], ["N", 0, 0, 2.5]]}}},
            {
                "Geometry": {"Coordinates": {"Units": "a.u.", "Cartesians": [["N", 0, 0, 0], ["N", 0, 0, BOHRS]]}},
                "Single_Point_Data": {"Converged": True, "FinalEnergy": ENERGY},
                "Nuclear_Gradient": [{"Grad": [[0], [0], [SLOPE], [0], [0], [-SLOPE]]}],
                "Hessian": {"Hessian": HESSIAN.tolist()},
                "Thermochemistry_Energies": [{"Freq": [[0.0]] * 5 + [[FREQUENCY]]}],
                "Mulliken_Population_Analysis": [{"AtomicCharges": [[0.25], [-0.25]]}],
            },
        ],
    }
)
CFOUR_OLD = f"""
     * CFOUR Coupled-Cluster techniques for Computational Chemistry *
                       version 1.2
       CALCLEVEL            ICLLVL           CCSD(T)    [ 22]   ***
       BASIS                IBASIS           PVDZ       [ 31]   ***
       CHARGE               ICHRGE              0               ***
       MULTIPLICTY          IMULTP              1               ***
 ----------------------------------------------------------------
 Z-matrix   Atomic            Coordinates (in bohr)
  Symbol    Number           X              Y              Z
 ----------------------------------------------------------------
     N         7         0.00000000     0.00000000     0.00000000
     N         7         0.00000000     0.00000000     {BOHRS:.10f}
 ----------------------------------------------------------------
  Nuclear repulsion energy :    {49.0 / BOHRS:.10f} a.u.
     E(SCF)=       -108.954000000000000              0.8149037001D-12
      The total energy is    -109.22300000000000 a.u.
        E(CCSD(T))        =   {ENERGY:.12f}
 --executable xvcc finished with status            0
"""
GRD = f"""    2     {ENERGY:.10f}
       7.0       0.0       0.0       0.0
       7.0       0.0       0.0       {BOHRS:.10f}
       7.0       0.0       0.0       {SLOPE:.10f}
       7.0       0.0       0.0      {-SLOPE:.10f}
"""
FORCES = "    2    6\n" + "\n".join(" ".join(f"{x:19.10f}" for x in row) for row in HESSIAN.reshape(-1, 3)) + "\n"
TEXTS = {
    "cp2k.out": (CP2K, {"energy", "frequencies"}, "PBE", "CP2K 9.1"),
    "aims.out": (AIMS, {"energy", "gradient"}, "PBE", "FHI-aims 221103"),
    "ams.out": (AMS, {"energy", "gradient", "frequencies", "hessian"}, "", "AMS 2023.101"),
    "adf.out": (ADF, set(), "", "ADF 2017"),
    "cfour1.out": (CFOUR_OLD, {"energy"}, "CCSD(T)/PVDZ", "CFOUR 1.2"),
    "point.out": (ADF_POINT, {"energy"}, "VWN/Becke88 Perdew86", "ADF 2017"),
    "molpro.xml": (XML, {"energy", "gradient", "frequencies", "hessian"}, "MP2/cc-pVDZ", "Molpro 2023.1"),
    "n2.property.json": (ORCA, {"energy", "gradient", "frequencies", "hessian"}, "", "ORCA 6.1.0"),
    "GRD": (GRD, {"energy", "gradient"}, "", "CFOUR"),
}


def check(reference, held):
    """Whether what a file holds is that of the molecule, and it holds no more."""
    np.testing.assert_array_equal(reference.species, [7, 7])
    np.testing.assert_allclose(np.linalg.norm(np.diff(reference.positions, axis=0)), LENGTH, rtol=1e-7)
    for name in ("energy", "gradient", "frequencies", "hessian"):
        assert (getattr(reference, name) is not None) == (name in held), name
    if "energy" in held:
        np.testing.assert_allclose(known(reference.energy) / units.HARTREE, ENERGY, rtol=1e-9)
    if "gradient" in held:
        np.testing.assert_allclose(known(reference.gradient)[:, 2] / units.HARTREE_PER_BOHR, [SLOPE, -SLOPE], rtol=1e-8)
    if "frequencies" in held:
        np.testing.assert_allclose(known(reference.frequencies), [FREQUENCY], rtol=1e-9)
    if "hessian" in held:
        np.testing.assert_allclose(known(reference.hessian) / units.HARTREE_PER_BOHR2, HESSIAN, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_gives_what_it_holds(name, tmp_path):
    text, held, level, program = TEXTS[name]
    path = tmp_path / name
    path.write_text(text)

    (reference,) = read_reference([path])

    check(reference, held)
    assert (reference.level, reference.program) == (level, program)


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_that_was_cut_is_refused(name, tmp_path):
    text = TEXTS[name][0]
    path = tmp_path / name
    path.write_text(text[: int(0.8 * len(text))])

    with pytest.raises(InputError, match=r"did not end|truncated|cut|not usable JSON|need"):
        read_reference([path])


def test_the_force_constants_of_cfour_belong_to_its_gradient(tmp_path):
    for name, text in {"GRD": GRD, "FCMFINAL": FORCES}.items():
        (tmp_path / name).write_text(text)

    (reference,) = read_reference([tmp_path / "GRD", tmp_path / "FCMFINAL"])

    check(reference, {"energy", "gradient", "hessian"})


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("cp2k.out", "VIBRATIONAL_ANALYSIS", "GEO_OPT", "the run type is GEO_OPT"),
        ("cp2k.out", "MODULE QUICKSTEP", "MODULE FIST", "is of a force field"),
        ("cp2k.out", " MODULE QUICKSTEP", f"{CELL} MODULE QUICKSTEP", "atoms 2 and 1 are bonded across the cell"),
        ("ams.out", "NORMAL TERMINATION", "NORMAL TERMINATION\nLattice vectors (angstrom)", "is periodic"),
        ("ams.out", "NORMAL TERMINATION", "NORMAL TERMINATION\n  *  MOLECULAR DYNAMICS *", "is molecular dynamics"),
        ("aims.out", "Present geometry is converged.", "", "the relaxation did not converge"),
        ("aims.out", "  | No unit cell", "  lattice_vector", "is of a periodic system"),
        ("cfour1.out", "E(CCSD(T))", "E(CCSD)", "no energy follows a geometry"),
        ("cfour1.out", "status            0", "status            1", "the job did not end"),
        ("molpro.xml", "<job>", "<!DOCTYPE x><job>", "defines entities"),
        ("n2.property.json", '"Converged": true', '"Converged": false', "has not converged"),
    ],
)
def test_jobs_that_have_no_result_are_refused(name, old, new, message, tmp_path):
    path = tmp_path / name
    text = TEXTS[name][0]
    assert old in text
    path.write_text(text.replace(old, new))

    with pytest.raises(InputError, match=message):
        read_reference([path])


def test_an_imaginary_vibration_of_molpro_is_negative(tmp_path):
    path = tmp_path / "saddle.xml"
    path.write_text(XML.replace('"R"', '"I"'))

    (reference,) = read_reference([path])

    np.testing.assert_allclose(known(reference.frequencies), [-FREQUENCY])


AUX = f"""
 START OF MOPAC FILE
 MOPAC_VERSION=MOPAC 22.0.6
 METHOD=PM7
 KEYWORDS="PM7 FORCE CHARGE=0"
 ATOM_EL[0002]=
  N  N
 ATOM_X:ANGSTROMS[0006]=
    0.0000    0.0000    0.0000
    0.0000    0.0000    {LENGTH}
 HEAT_OF_FORMATION:KCAL/MOL=+0.100000D+01
 VIB._FREQ:CM(-1)[0006]=
  {FREQUENCY}    0.10    0.10    0.20    3.10    3.20
 CPU_TIME:SECONDS[0001]=0.10
 END OF MOPAC FILE
"""


def test_a_linear_molecule_of_mopac_keeps_its_vibrations(tmp_path):
    path = tmp_path / "n2.aux"
    path.write_text(AUX)

    (reference,) = read_reference([path])

    np.testing.assert_allclose(known(reference.frequencies), [FREQUENCY])


BLOCK = 4096


def kf_file(sections, *, integer, order):
    """A KF file of sections of variables: a superindex, then for each section a block of index and those of data."""
    size = {"i": 4, "q": 8}[integer]

    def entry(name, *numbers):
        return name.ljust(32).encode() + struct.pack(f"{order}{len(numbers)}{integer}", *numbers)

    entries, blocks = [entry("SUPERINDEX", 0, 0, 0, 1), entry("SUPERINDEX", 1, 1, 1, 1)], []
    for name, variables in sections.items():
        rows, values = [], []
        for key, value in variables.items():
            kind = 3 if isinstance(value, str) else 2 if isinstance(value, np.ndarray) else 1
            # Each variable has a block of its own, so that each begins at place 1.
            capacity = (BLOCK - 4 * size) // {1: size, 2: 8, 3: 1}[kind]
            rows.append(entry(key, len(values) + 1, 1, len(value), 0, len(value), kind))
            for first in range(0, len(value), capacity):
                piece = value[first : first + capacity]
                counts = [len(piece) if kind == other else 0 for other in (1, 2, 3, 4)]
                codes = {1: integer, 2: "d"}
                body = str(piece).encode() if kind == 3 else struct.pack(f"{order}{len(piece)}{codes[kind]}", *piece)
                values.append((struct.pack(f"{order}4{integer}", *counts) + body).ljust(BLOCK, b"\0"))
        start = 2 + len(blocks)
        head = name.ljust(32).encode() + bytes(7 * size)
        index = head + b"".join(rows)
        spare = (BLOCK - len(index)) // (32 + 6 * size)
        index += b"".join(entry("EMPTY", 0, 0, 0, 0, 0, 0) for _ in range(spare))
        blocks += [index.ljust(BLOCK, b"\0"), *values]
        entries += [entry(name, start, 1, 1, 3), entry(name, start + 1, 1, len(values), 4)]
    spare = (BLOCK - sum(map(len, entries))) // (32 + 4 * size)
    head = b"".join(entries) + b"".join(entry("EMPTY", 0, 0, 0, 0) for _ in range(spare))
    return head.ljust(BLOCK, b"\0") + b"".join(blocks)


RESULTS = {
    "General": {"termination status": "NORMAL TERMINATION", "release": "2023.101 r1234"},
    "Molecule": {
        "AtomicNumbers": [7, 7],
        "Coords": np.array([0.0, 0.0, 0.0, 0.0, 0.0, BOHRS]),
        "AtomMasses": np.array([MASS, MASS]),
        "Charge": np.array([0.0]),
    },
    "AMSResults": {
        "Energy": np.array([ENERGY]),
        "Gradients": np.array([0.0, 0.0, SLOPE, 0.0, 0.0, -SLOPE]),
        "Hessian": HESSIAN.reshape(-1),
    },
    "Vibrations": {"Frequencies[cm-1]": np.array([FREQUENCY]), "Spectrum": np.zeros(1200)},
}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("integer", "iq")
def test_results_of_ams_are_read_whatever_their_integers(integer, order, tmp_path):
    path = tmp_path / "adf.rkf"
    path.write_bytes(kf_file(RESULTS, integer=integer, order=order))

    (reference,) = read_reference([path])

    check(reference, {"energy", "gradient", "frequencies", "hessian"})
    assert (reference.program, reference.charge) == ("AMS 2023.101", 0)
    np.testing.assert_allclose(known(reference.masses), MASS)


def test_a_periodic_rkf_file_is_refused(tmp_path):
    path = tmp_path / "band.rkf"
    molecule = RESULTS["Molecule"] | {"LatticeVectors": np.eye(3).reshape(-1) * 9.0}
    path.write_bytes(kf_file(RESULTS | {"Molecule": molecule}, integer="i", order="<"))

    with pytest.raises(InputError, match="is periodic; what is read is a molecule"):
        read_reference([path])


def test_the_input_of_an_engine_of_ams_tells_level_and_multiplicity(tmp_path):
    path = tmp_path / "adf.rkf"
    asked = {"engine input": "Basis\n  Type TZP\nEnd\nXC\n  GGA PBE\nEnd\nSpinPolarization 2\nUnrestricted Yes\n"}
    path.write_bytes(kf_file(RESULTS | {"General": RESULTS["General"] | asked}, integer="i", order="<"))

    (reference,) = read_reference([path])

    assert (reference.level, reference.multiplicity) == ("PBE", 3)


def test_frequencies_may_be_of_a_hessian_without_its_rigid_motions(tmp_path):
    # AMS takes them out of the force constants themselves, where a displaced geometry has left some.
    path = tmp_path / "dftb.rkf"
    species, positions = [8, 1, 1], np.array([[0.0, 0.0, 0.22], [0.0, 1.43, -0.89], [0.0, -1.43, -0.89]])
    masses = np.array([15.994914, 1.007825, 1.007825])
    bonds = np.array([positions[1] - positions[0], positions[2] - positions[0], positions[2] - positions[1]])
    hessian = np.zeros((9, 9))
    for (i, j), along, k in zip([(0, 1), (0, 2), (1, 2)], bonds, [0.5, 0.5, 0.1], strict=True):
        push = np.zeros((3, 3))
        push[i], push[j] = -along, along
        hessian += k * np.outer(push, push) / (along @ along)
    turn = np.cross([1.0, 0.0, 0.0], positions - positions.mean(axis=0)).reshape(-1)
    rigid = turn / np.linalg.norm(turn)
    # A force that turns as the molecule stretches, within what grids leave.
    stretch = np.zeros((3, 3))
    stretch[1], stretch[2], stretch[0] = bonds[0], -bonds[1], bonds[1] - bonds[0]
    stretch = stretch.reshape(-1) / np.linalg.norm(stretch)
    stored = hessian + 2e-4 * (np.outer(rigid, stretch) + np.outer(stretch, rigid))
    eigenvalues = np.linalg.eigvalsh(hessian / np.repeat(np.sqrt(np.outer(masses, masses)), 3, 0).repeat(3, 1))
    printed = np.sqrt(eigenvalues[6:] * units.HARTREE_PER_BOHR2) * units.WAVENUMBER
    results = RESULTS | {
        "Molecule": {"AtomicNumbers": species, "Coords": positions.reshape(-1), "AtomMasses": masses},
        "AMSResults": {"Hessian": stored.reshape(-1)},
        "Vibrations": {"Frequencies[cm-1]": printed},
    }
    path.write_bytes(kf_file(results, integer="i", order="<"))

    (reference,) = read_reference([path])

    np.testing.assert_allclose(known(reference.frequencies), printed)


def test_a_variable_of_an_rkf_file_goes_on_in_the_next_block(tmp_path):
    chain = np.zeros((200, 3))
    chain[:, 2] = 4.0 * np.arange(200)
    path = tmp_path / "ams.rkf"
    molecule = {"AtomicNumbers": [2] * 200, "Coords": chain.reshape(-1)}
    path.write_bytes(kf_file({"Molecule": molecule}, integer="i", order="<"))

    (reference,) = read_reference([path])

    np.testing.assert_allclose(reference.positions, chain * units.BOHR)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"\0" * len(data), "is no KF file"),
        (lambda data: data[: 5 * BLOCK], "cut"),
        (lambda data: data.replace(b"NORMAL TERMINATION", b"CRASHED           "), "did not end normally"),
        (lambda data: data.replace(b"Coords", b"Xoords"), "holds no Molecule with Coords"),
    ],
)
def test_rkf_files_without_a_whole_result_are_refused(change, message, tmp_path):
    path = tmp_path / "adf.rkf"
    path.write_bytes(change(kf_file(RESULTS, integer="i", order="<")))

    with pytest.raises(InputError, match=message):
        read_reference([path])


@pytest.mark.parametrize("name", ["Energy", "total energy"])
def test_an_xml_file_of_molpro_tells_state_and_the_energy_of_its_last_method(name, tmp_path):
    path = tmp_path / "n2.xml"
    text = XML.replace("<cml:molecule>", '<cml:molecule spinMultiplicity="3" formalCharge="2">')
    path.write_text(text.replace('name="Energy" method="MP2"', f'name="{name}" method="MP2"'))

    (reference,) = read_reference([path])

    assert (reference.charge, reference.multiplicity) == (2, 3)
    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, ENERGY, rtol=1e-12)


def test_an_xml_file_is_known_by_its_content(tmp_path):
    for name, text, kind in (("a.xml", XML, "Molpro XML"), ("b.xml", "<ForceField/>", "OpenMM XML")):
        (tmp_path / name).write_text(text)

        assert format_of(tmp_path / name).name == kind


def test_modes_make_no_hessian_where_forces_are_left(tmp_path):
    path = tmp_path / "steep.xml"
    path.write_text(XML.replace(f"{SLOPE}", "0.04").replace(f"{-SLOPE}", "-0.04"))

    (reference,) = read_reference([path])

    assert reference.hessian is None
    assert reference.frequencies is not None
