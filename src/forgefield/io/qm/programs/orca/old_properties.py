"""Reads the property files of ORCA 4 and 5 (_property.txt): geometry, charge, multiplicity and the energy of an SCF."""

import re
from pathlib import Path

from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.printout import NUMBER, Kind, Printout, not_understood

_MARK = "!PROPERTIES!"
_SECTION = re.compile(r"^(?:\$ +| *name: +)(\w+) *$", re.MULTILINE)
_INDEX = re.compile(r"geom\. index: +(\S+)", re.IGNORECASE)
_GEOMETRY = re.compile(r"^-+ *!GEOMETRY! *-+ *$", re.MULTILINE)
_NUMBER_OF_GEOMETRY = re.compile(r"^ *Geometry Index: +(\S+)", re.MULTILINE | re.IGNORECASE)
_COUNT = re.compile(r"Number of atoms: +(\d+)", re.IGNORECASE)
_ATOM = re.compile(rf"^ *(?:\d+ +)?([A-Z][a-z]?) +({NUMBER}) +({NUMBER}) +({NUMBER}) *$", re.MULTILINE)
_ENERGY = re.compile(r"^ *SCF Energy: +(\S+)", re.MULTILINE)
_STATED = {
    "charge": re.compile(r"^ *Charge: +(\S+)", re.MULTILINE),
    "multiplicity": re.compile(r"Multiplicity: +(\S+)"),
}
_BEYOND = re.compile(r"VdW|MDCI|MP\d|CI|CC|CAS|NEVPT|RPA|TD|ADC|EOM|Extrapol", re.IGNORECASE)
"""Names of sections of energies that are not in that of the SCF."""
_INFORMATION = "Calculation_Info"


def _is_properties(_: Path, text: str) -> bool:
    return _MARK in text[:400]


def read_properties(path: Path) -> Part:
    """Return the last geometry and the energy of its SCF, where nothing beyond it was computed."""
    printout = Printout.of(path)
    text = printout.text
    heads = printout.matches(_GEOMETRY)
    if not heads:
        raise InputError(f"{path}: holds no geometry; is the file truncated? Else give the .out and .hess of the job")
    numbers = [match[1] for match in printout.matches(_NUMBER_OF_GEOMETRY, heads[0].start())]
    counted = [str(k) for k in range(1, len(heads) + 1)]
    beyond = {match[1] for match in printout.matches(_INDEX) if match.start() < heads[0].start()} - {*counted}
    if numbers != counted or beyond:
        said = f"{len(heads)} geometries, numbered {', '.join(numbers) or 'nowhere'}"
        more = f", and properties of geometry {', '.join(sorted(beyond))}" * bool(beyond)
        raise InputError(f"{path}: holds {said}{more}; the file is cut or damaged")
    place = heads[-1].start()
    atoms = printout.matches(_ATOM, place)
    count = printout.integer(_COUNT, "the number of atoms", place)
    if count != len(atoms):
        raise printout.wrong(place, f"expected {count} atoms, found {len(atoms)}; the file is truncated")
    species, positions = printout.atoms(place, [(row[1], row.groups()[1:]) for row in atoms])
    sections = [section for section in printout.matches(_SECTION) if section.start() < heads[0].start()]
    ends = [*(section.start() for section in sections[1:]), heads[0].start()][: len(sections)]
    found = [(section, text[section.end() : end]) for section, end in zip(sections, ends, strict=True)]
    beyond = sorted({section[1] for section, _ in found if section[1] != _INFORMATION and _BEYOND.search(section[1])})
    energies = [
        match
        for section, body in found
        if section[1] == "SCF_Energy" and _of_geometry(body) == str(len(heads))
        for match in _ENERGY.finditer(text, section.end(), section.end() + len(body))
    ]
    if beyond and energies:
        not_understood(path, f"the energy includes more than that of the SCF ({', '.join(beyond)})")
        energies = []
    return Part(
        source=str(path),
        species=species,
        positions=positions,
        energy=printout.energy(energies[-1]) if energies else None,
        program="ORCA",
        charge=printout.integer(_STATED["charge"], "charge"),
        multiplicity=printout.integer(_STATED["multiplicity"], "multiplicity"),
    )


def _of_geometry(body: str) -> str:
    found = _INDEX.search(body)
    return found[1] if found else ""


KINDS = (Kind("ORCA 4 and 5 properties", _is_properties, read_properties),)
