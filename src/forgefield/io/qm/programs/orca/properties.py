"""Reads the property files of ORCA 6, property.txt and property.json."""

import re
from pathlib import Path
from typing import Any
from warnings import warn

import numpy as np

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.parts import Part, full_hessian
from forgefield.io.qm.programs.orca.output import unscaled
from forgefield.io.qm.programs.printout import Kind, Printout, vibrations
from forgefield.io.qm.qcschema_records import Number, Numbers, Record, Whole, load_json, validated
from forgefield.io.text import integer
from forgefield.molecules.molecule import AtomicCharges

_PROPERTIES_OF = re.compile(r"ORCA (\d[\d.]*)")
_OF_SCF = ("scf_energy", "dft_energy", "thermochemistry_energies")
_EXCITED = re.compile(r"TDA|TD-?DFT|CIS|EOM|ADC|STEOM", re.IGNORECASE)
_SECTION = re.compile(r"^\$(\w+) *\n(.*?)^\$End", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^ *&(\w+)(?: *\[[^\]\n]*\])? *(.*?)(?=^ *&|\Z)", re.MULTILINE | re.DOTALL)


def _is_properties(_: Path, text: str) -> bool:
    return text.startswith("****") and "\n$Calculation_Status" in text[:400]


def read_properties(path: Path) -> Part:
    """Return the last geometry of ORCA 6's property.txt, with its energy, gradient, charge and multiplicity."""
    printout = Printout.of(path)
    # Versions write keys in different letters.
    found = [
        (match[1].lower(), {key.lower(): value for key, value in _ENTRY.findall(match[2])})
        for match in _SECTION.finditer(printout.text)
    ]
    numbers = [one.get("geometryindex", "").split()[:1] for name, one in found if name == "geometry"]
    if not numbers or not any(
        '"NORMAL TERMINATION"' in one.get("status", "") for name, one in found if "status" in name
    ):
        raise InputError(
            f"{path}: holds no geometry or no STATUS of NORMAL TERMINATION; the job did not end, repeat it"
        )
    # What is said of another geometry than the last one is left out.
    last = {name: one for name, one in found if one.get("geometryindex", "").split()[:1] == numbers[-1]}
    place = printout.last("&CartesianCoordinates")
    rows = [row.split() for row in last["geometry"].get("cartesiancoordinates", "").splitlines() if row.strip()]
    bohr = '&Units "Bohr"' in next(iter(printout.lines(place, 0)), "")
    species, positions = printout.atoms(place, [(row[0], row[1:4]) for row in rows], units.BOHR if bohr else 1.0)
    energy = last.get("single_point_data", {}).get("finalenergy") or _of_scf(last)
    if any("absorption_spectrum" in name for name in last):
        _tell_excited(path)
    slopes = next((one["grad"] for name, one in last.items() if "gradient" in name and "grad" in one), None)
    gradient = None
    if slopes is not None:
        words = [row.split()[-1:] for row in slopes.splitlines() if "." in row]
        gradient = printout.vectors(-1, words, "gradient") * units.HARTREE_PER_BOHR
    about = next((one for name, one in found if name == "calculation_info"), {})
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=None if energy is None else printout.number(place, energy.split()[0], "energy") * units.HARTREE,
        gradient=gradient,
        program=printout.program("ORCA", _PROPERTIES_OF),
        charge=_stated(path, about, "charge"),
        multiplicity=_stated(path, about, "mult"),
    )


def _tell_excited(path: Path) -> None:
    said = "excited states were computed; the energy is the one that ORCA calls final, which may be one of theirs"
    warn(InputWarning(f"{path}: {said}"), stacklevel=3)


def _of_scf(sections: dict[str, dict[str, str]]) -> str | None:
    """Return the energy of an SCF where nothing more was computed; version 6.0 has no section for the final one."""
    energies = [name for name in sections if "energ" in name and name not in _OF_SCF]
    if energies or any("vdw" in name or "dispersion" in name for name in sections):
        return None
    found = sections.get("dft_energy", {}).get("finalen") or sections.get("scf_energy", {}).get("scf_energy")
    return found or None


def _stated(path: Path, entries: dict[str, str], key: str) -> int | None:
    words = entries.get(key, "").split()
    return integer(path, None, words[0], key) if words else None


class _Coordinates(Record):
    units: str = ""
    cartesians: list[tuple[str, Number, Number, Number]]


class _Geometry(Record):
    coordinates: _Coordinates


class _Point(Record):
    finalenergy: Number | None = None
    converged: bool = True


class _Gradient(Record):
    grad: Numbers


class _Matrix(Record):
    hessian: Numbers | None = None


class _Thermochemistry(Record):
    freq: Numbers | None = None
    freqscalingfactor: Number = 1.0


class _Population(Record):
    atomiccharges: Numbers


class _Energy(Record):
    method: str = ""


class _Results(Record):
    geometry: _Geometry
    energy: list[_Energy] | None = None
    absorption_spectrum: Any = None
    single_point_data: _Point | None = None
    nuclear_gradient: list[_Gradient] | None = None
    hessian: _Matrix | None = None
    thermochemistry_energies: list[_Thermochemistry] | None = None
    mulliken_population_analysis: list[_Population] | None = None
    loewdin_population_analysis: list[_Population] | None = None
    chelpg_population_analysis: list[_Population] | None = None


class _Information(Record):
    charge: Whole | None = None
    mult: Whole | None = None


class _Status(Record):
    status: str = ""
    version: str = ""


class _Json(Record):
    calculation_info: _Information = _Information()
    calculation_status: _Status
    geometries: list[_Results]


_KINDS = {"mulliken": "mulliken", "loewdin": "loewdin", "chelpg": "esp"}


def _is_json(_: Path, text: str) -> bool:
    return text[:400].lstrip()[:1] == "{" and '"calculation_status"' in text.lower() and '"geometries"' in text.lower()


def _small(value: Any) -> Any:
    """Return an object with all its keys in small letters, as versions write them in different ones."""
    if isinstance(value, dict):
        return {key.lower(): _small(one) for key, one in value.items()}
    return [_small(one) for one in value] if isinstance(value, list) else value


def read_json(path: Path) -> Part:
    """Return what a property.json says of its last geometry: energy, gradient, Hessian, frequencies and charges."""
    found = validated(path, _Json, _small(load_json(path)))
    if "NORMAL TERMINATION" not in found.calculation_status.status.upper() or not found.geometries:
        raise InputError(
            f"{path}: holds no geometry or no status of NORMAL TERMINATION; the job did not end, repeat it"
        )
    last = found.geometries[-1]
    point = last.single_point_data or _Point()
    if not point.converged:
        raise InputError(f"{path}: the wave function has not converged; repeat the job")
    if last.absorption_spectrum is not None or any(_EXCITED.search(one.method) for one in last.energy or ()):
        _tell_excited(path)
    printout = Printout(path, "")
    rows = last.geometry.coordinates.cartesians
    unit = 1.0 if last.geometry.coordinates.units.lower().startswith("ang") else units.BOHR
    species, positions = printout.atoms(-1, [(row[0], [repr(one) for one in row[1:]]) for row in rows], unit)
    gradient = np.array(last.nuclear_gradient[-1].grad) if last.nuclear_gradient else None
    if gradient is not None and gradient.size != positions.size:
        raise InputError(f"{path}: {len(species)} atoms, but a gradient of {gradient.size} numbers")
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=None if point.finalenergy is None else point.finalenergy * units.HARTREE,
        gradient=None if gradient is None else gradient.reshape(-1, 3) * units.HARTREE_PER_BOHR,
        hessian=_hessian(path, last, len(species)),
        frequencies=_frequencies(path, last),
        program=" ".join(["ORCA", *found.calculation_status.version.split()[:1]]),
        charge=found.calculation_info.charge,
        multiplicity=found.calculation_info.mult,
        charges=_charges(last),
    )


def _hessian(path: Path, results: _Results, n_atoms: int) -> np.ndarray | None:
    numbers = results.hessian.hessian if results.hessian else None
    if numbers is None:
        return None
    n = 3 * n_atoms
    if len(numbers) != n * n:
        raise InputError(f"{path}: {n_atoms} atoms, but a Hessian of {len(numbers)} numbers, expected {n * n}")
    return full_hessian(path, np.array(numbers).reshape(n, n), n_atoms)


def _frequencies(path: Path, results: _Results) -> np.ndarray | None:
    last = results.thermochemistry_energies[-1] if results.thermochemistry_energies else None
    if last is None or last.freq is None:
        return None
    return vibrations(np.array(last.freq)) / unscaled(Printout(path, ""), last.freqscalingfactor)


def _charges(results: _Results) -> tuple[AtomicCharges, ...]:
    tables = {kind: getattr(results, f"{name}_population_analysis") for name, kind in _KINDS.items()}
    return tuple(AtomicCharges(kind, np.array(table[-1].atomiccharges)) for kind, table in tables.items() if table)


KINDS = (Kind("ORCA properties", _is_properties, read_properties), Kind("ORCA JSON", _is_json, read_json))
