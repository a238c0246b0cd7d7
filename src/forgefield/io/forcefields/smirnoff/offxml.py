"""SMIRNOFF force fields (.offxml): sections of parameters by SMARTS."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from forgefield.errors import InputError
from forgefield.io.forcefields.smirnoff.quantities import quantity
from forgefield.io.offenders import listed
from forgefield.io.text import read_text

_AROMATICITY = "OEAroModel_MDL"
_PERIODIC = "k*(1+cos(periodicity*theta-phase))"
_POTENTIALS = {
    "Bonds": ("harmonic", "(k/2)*(r-length)^2"),
    "Angles": ("harmonic", "(k/2)*(theta-angle)^2"),
    "ProperTorsions": (_PERIODIC,),
    "ImproperTorsions": (_PERIODIC,),
    "vdW": ("Lennard-Jones-12-6",),
}
_SCALES = {"scale12": 0.0, "scale13": 0.0, "scale15": 1.0}
"""What is not ours where it is another."""
_TREFOIL = 3.0
CHARGED_BY_OTHERS = ("ToolkitAM1BCC", "NAGLCharges")
_HALF_MINIMUM = 0.5 * 2.0 ** (1.0 / 6.0)
_UNREAD = ("Author", "Date")

Values = tuple[float, ...]


@dataclass(frozen=True)
class Parameter:
    """What atoms that match a SMARTS get."""

    smarts: str
    name: str
    values: tuple[Values, ...]
    """Of each term; cosines of a torsion are several."""


@dataclass(frozen=True)
class SmirnoffFile:
    """The parameters of a file, of which the last that matches counts."""

    source: str
    sections: dict[str, tuple[Parameter, ...]] = field(default_factory=dict)
    scale_vdw: float = 1.0
    scale_charge: float = 1.0
    method: str = ""
    """What charges the increments of `ChargeIncrementModel` are added to."""

    def of(self, section: str) -> tuple[Parameter, ...]:
        """Return the parameters of a section."""
        return self.sections.get(section, ())


def read_offxml(path: Path) -> SmirnoffFile:
    """Return the parameters of a file. Raises InputError that lists what is not read, or names what is not computed."""
    try:
        root = fromstring(read_text(path))
    except (ParseError, DefusedXmlException) as error:
        raise InputError(f"{path}: cannot be read as XML: {error}") from error
    if root.tag != "SMIRNOFF":
        raise InputError(f"{path}: is no SMIRNOFF force field (its root is {root.tag})")
    if (model := root.get("aromaticity_model", _AROMATICITY)) != _AROMATICITY:
        raise InputError(f"{path}: the aromaticity model must be {_AROMATICITY}, not {model}")
    known = {*_READERS, *CHARGED_BY_OTHERS, *_UNREAD, "Electrostatics"}
    if other := [section.tag for section in root if section.tag not in known]:
        raise InputError(f"{path}: has what ForgeField does not compute: {', '.join(other)}")
    held: dict[str, tuple[Parameter, ...]] = {}
    wrong: list[str] = []
    for section in root:
        if section.tag in _UNREAD:
            continue
        wrong += _unlike(section)
        found = []
        for element in section:
            try:
                found.append(_parameter(section, element))
            except InputError as error:
                wrong.append(f"{section.tag} {element.get('id', element.get('smirks', ''))}: {error}")
        held[section.tag] = (*held.get(section.tag, ()), *found)
    if wrong:
        raise InputError(f"{path}: {listed(wrong, separator='; ')}")
    return SmirnoffFile(
        source=str(path),
        sections=held,
        scale_vdw=_scale14(root, "vdW", 0.5),
        scale_charge=_scale14(root, "Electrostatics", 5.0 / 6.0),
        method=next((one.get("partial_charge_method", "") for one in root.findall("ChargeIncrementModel")), ""),
    )


def _unlike(section: Any) -> list[str]:
    """Return what the head of a section asks for that is not ours."""
    potential = section.get("potential")
    possible = _POTENTIALS.get(section.tag)
    wrong = []
    if possible and potential is not None and potential not in possible:
        wrong.append(f"{section.tag}: the potential {potential} is not computed")
    if section.get("combining_rules", "Lorentz-Berthelot") != "Lorentz-Berthelot":
        wrong.append(f"{section.tag}: the combining rules {section.get('combining_rules')} are not computed")
    for name, usual in _SCALES.items():
        if quantity(section.get(name, str(usual))) != usual:
            wrong.append(f"{section.tag}: {name} must be {usual:g}")
    return wrong


def _scale14(root: Any, section: str, usual: float) -> float:
    return next((quantity(one.get("scale14", str(usual))) for one in root.findall(section)), usual)


def _parameter(section: Any, element: Any) -> Parameter:
    smarts = element.get("smirks")
    if smarts is None:
        raise InputError("has no smirks")
    if any("bondorder" in name for name in element.attrib):
        raise InputError("parameters that follow bond orders are not computed")
    return Parameter(smarts, element.get("id") or smarts, _READERS[section.tag](section, element))


def _stated(element: Any, name: str, **dimensions: int) -> float:
    text = element.get(name)
    if text is None:
        raise InputError(f"has no {name}")
    return quantity(text, **dimensions)


def _bond(_: Any, element: Any) -> tuple[Values, ...]:
    return ((_stated(element, "k", energy=1, length=-2), _stated(element, "length", length=1)),)


def _angle(_: Any, element: Any) -> tuple[Values, ...]:
    return ((_stated(element, "k", energy=1, angle=-2), _stated(element, "angle", angle=1)),)


def _waves(section: Any, element: Any, divisor: float | None) -> tuple[Values, ...]:
    """Return the cosines of a torsion; `divisor` is what the file's `auto` stands for, None where it is not known."""
    found = []
    for n in range(1, 1 + sum(name.startswith("periodicity") for name in element.attrib)):
        usual = section.get("default_idivf", "auto")
        stated = element.get(f"idivf{n}", usual)
        if stated == "auto" and divisor is None:
            raise InputError(f"has no idivf{n}, and what `auto` means for it is not settled")
        over = divisor if stated == "auto" and divisor is not None else quantity(stated)
        phase = _stated(element, f"phase{n}", angle=1)
        found.append((_stated(element, f"k{n}", energy=1) / over, _stated(element, f"periodicity{n}"), phase))
    return tuple(found)


def _proper(section: Any, element: Any) -> tuple[Values, ...]:
    return _waves(section, element, None)


def _improper(section: Any, element: Any) -> tuple[Values, ...]:
    return _waves(section, element, _TREFOIL)


def _atom(_: Any, element: Any) -> tuple[Values, ...]:
    radius = (
        _HALF_MINIMUM * _stated(element, "sigma", length=1)
        if element.get("sigma") is not None
        else _stated(element, "rmin_half", length=1)
    )
    return ((radius, _stated(element, "epsilon", energy=1)),)


def _charges(_: Any, element: Any) -> tuple[Values, ...]:
    names = [name for name in element.attrib if name.startswith("charge")]
    prefix = "charge_increment" if any(name.startswith("charge_increment") for name in names) else "charge"
    found = tuple(_stated(element, f"{prefix}{n}", charge=1) for n in range(1, 1 + len(names)))
    return (found,)


def _nothing(_: Any, element: Any) -> tuple[Values, ...]:
    del element
    return ()


_READERS: dict[str, Callable[[Any, Any], tuple[Values, ...]]] = {
    "Constraints": _nothing,
    "Bonds": _bond,
    "Angles": _angle,
    "ProperTorsions": _proper,
    "ImproperTorsions": _improper,
    "vdW": _atom,
    "LibraryCharges": _charges,
    "ChargeIncrementModel": _charges,
}
