"""Reads Molpro's XML files."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from forgefield import units
from forgefield.errors import InputError, located
from forgefield.io.assemble.parts import Part
from forgefield.io.qm.programs.molden import with_modes
from forgefield.io.qm.programs.printout import Kind, Printout
from forgefield.io.text import integer, read_text

_MOLPRO = "{http://www.molpro.net/schema/molpro-output}"
_CML = "{http://www.xml-cml.org/schema}"
_NAMES = ("energy", "total energy")
"""Of an SCF, and of what goes on from one."""
_SIGNS = {"I": -1.0, "Z": 0.0}
"""By what an entry of a vibration says it is: imaginary, zero, else real."""


def _is_xml(_: Path, text: str) -> bool:
    return "http://www.molpro.net/schema/molpro-output" in text[:4000]


def read_xml(path: Path) -> Part:
    """Return what a job says of its last geometry: energy, gradient, frequencies and the Hessian of modes."""
    text = read_text(path)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(f"{path}: defines entities, which no output of Molpro does")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(located(path, error.position[0], f"is not XML ({error}); did the job not end?")) from None
    molecules = list(root.iter(f"{_CML}atomArray"))
    if not molecules:
        raise InputError(f"{path}: holds no geometry; is the file truncated?")
    printout = Printout(path, text)
    rows = [
        (atom.get("elementType", ""), [atom.get(axis, "") for axis in ("x3", "y3", "z3")])
        for atom in molecules[-1].iter(f"{_CML}atom")
    ]
    species, positions = printout.atoms(0, rows)
    method, energy = _energy(printout, root)
    gradients = [node.text or "" for node in root.iter(f"{_MOLPRO}gradient")]
    gradient = None
    if gradients:
        gradient = printout.vectors(-1, [gradients[-1].split()], "gradient") * units.HARTREE_PER_BOHR
    summaries = [node.get("overall_method", "") for node in root.iter(f"{_MOLPRO}summary")]
    version = next((node.text or "" for node in root.iter(f"{_MOLPRO}version")), "").split()
    charge, multiplicity = (_of_molecule(printout, root, key) for key in ("formalCharge", "spinMultiplicity"))
    fields = {
        "charge": charge,
        "multiplicity": multiplicity,
        "source": str(path),
        "species": species,
        "positions": positions,
        "energy": energy,
        "gradient": gradient,
        "level": next((one for one in summaries[::-1] if one), method),
        "program": " ".join(["Molpro", *version[:1]]),
    }
    vibrating = list(root.iter(f"{_MOLPRO}vibrations"))
    if not vibrating:
        return Part(**fields)
    nodes = list(vibrating[-1].iter(f"{_MOLPRO}normalCoordinate"))
    signs = np.array([_SIGNS.get(node.get("real_zero_imag", "R"), 1.0) for node in nodes])
    frequencies = signs * printout.numbers(-1, [node.get("wavenumber", "") for node in nodes], "frequencies")
    modes = printout.numbers(-1, [node.text or "" for node in nodes], "normal coordinates")
    masses = next((node.text or "" for node in vibrating[-1].iter(f"{_MOLPRO}masses")), "")
    if modes.size != len(nodes) * positions.size:
        raise InputError(f"{path}: {len(nodes)} normal coordinates of {len(species)} atoms have {modes.size} numbers")
    stated = printout.numbers(-1, [masses], "masses") if masses.strip() else None
    found = with_modes(
        path, species, positions, frequencies, modes.reshape(len(nodes), -1), masses=stated, gradient=gradient
    )
    return Part(**fields, hessian=found.hessian, frequencies=found.frequencies, masses=found.masses)


def _of_molecule(printout: Printout, root: ElementTree.Element, key: str) -> int | None:
    """Return an integer that the last molecule which has it states."""
    found = [word for node in root.iter(f"{_CML}molecule") if (word := node.get(key))]
    return integer(printout.path, None, found[-1], key) if found else None


def _energy(printout: Printout, root: ElementTree.Element) -> tuple[str, float | None]:
    """Return method and value [kcal/mol] of the last energy that is the result of its step."""
    found = [
        node
        for node in root.iter(f"{_MOLPRO}property")
        if node.get("name", "").lower() in _NAMES and node.get("principal") == "true"
    ]
    if not found:
        raise InputError(f"{printout.path}: holds no energy; is the file truncated?")
    return found[-1].get("method", ""), printout.number(-1, found[-1].get("value", ""), "energy") * units.HARTREE


KINDS = (Kind("Molpro XML", _is_xml, read_xml),)
