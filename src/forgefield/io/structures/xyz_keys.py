"""Under which names xyz files state charge, multiplicity, energy and forces, and in which units."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.structures.xyz_columns import stated
from forgefield.io.text import floats, integer

_CHARGES = ("charge", "total_charge")
_MULTIPLICITIES = ("multiplicity", "mult", "spin", "total_spin", "spin_multiplicity")
"""The spin of the data sets of OMol25 and of the files of MACE is 2S + 1."""
ENERGIES = {
    "energy": units.ELECTRONVOLT,
    "REF_energy": units.ELECTRONVOLT,
    "dft_energy": units.ELECTRONVOLT,
    "dft_total_energy": units.HARTREE,
    "energy_ev": units.ELECTRONVOLT,
    "energy_hartree": units.HARTREE,
    "energy_kcal_mol": 1.0,
    "energy_kj_mol": units.KILOJOULE,
}
"""Keys of an energy (ASE, MACE, SPICE, those that say their unit) and their units."""
GRADIENTS = {
    "forces": -units.ELECTRONVOLT,
    "REF_forces": -units.ELECTRONVOLT,
    "dft_forces": -units.ELECTRONVOLT,
    "dft_total_gradient": units.HARTREE_PER_BOHR,
}
"""Columns of forces or a gradient, and what makes them a gradient in kcal/mol/Å."""
STRESSES = ("stress", "REF_stress", "dft_stress")
"""Keys of a stress, (1/V) ∂E/∂ε in eV/Å³: tension is positive, as in ASE and MACE."""
VIRIALS = ("virial", "virials", "REF_virial", "REF_virials", "dft_virial")
"""Keys of a virial, -∂E/∂ε in eV."""
STATES = (*_CHARGES, *_MULTIPLICITIES)
_NUMBER = r"([-+]?\d+\.\d+(?:[eE][-+]?\d+)?)"
_STATED = re.compile(rf"\b({'|'.join(STATES)})\s*=\s*\"?([^\s\",;]+)", re.IGNORECASE)
_UNITS = {
    "ha": units.HARTREE,
    "eh": units.HARTREE,
    "hartree": units.HARTREE,
    "hartrees": units.HARTREE,
    "a.u.": units.HARTREE,
    "ev": units.ELECTRONVOLT,
    "kcal/mol": 1.0,
    "kj/mol": units.KILOJOULE,
}
_WITH_UNIT = re.compile(
    rf"\bE(?:nergy)?\s*[=:]?\s*{_NUMBER}\s*({'|'.join(map(re.escape, _UNITS))})(?![\w/])", re.IGNORECASE
)
_IN_HARTREE = (
    # xTB, ORCA, geomeTRIC.
    re.compile(rf"^\s*energy:\s*{_NUMBER}\s+(?:gnorm|xtb):"),
    re.compile(rf"^\s*Coordinates from ORCA-job \S+ +E +{_NUMBER}"),
    re.compile(rf"^\s*Iteration \d+ Energy +{_NUMBER}"),
)
_LOOKS_LIKE_AN_ENERGY = re.compile(
    rf"\bE\b\W*{_NUMBER}|\benergy\b[^=\d]*{_NUMBER}|^\s*-\d+\.\d{{4,}}\s*$", re.IGNORECASE
)


class State(NamedTuple):
    """What a frame states; None where it does not."""

    charge: int | None
    multiplicity: int | None


def state_of(path: Path, line: int | None, info: Mapping[str, Any]) -> State:
    """Return charge and multiplicity under any of their names; raises InputError where two of these differ."""
    found = []
    for names in (_CHARGES, _MULTIPLICITIES):
        values = {name: _whole(path, line, name, info[name]) for name in names if name in info}
        if len({*values.values()}) > 1:
            raise InputError(f"{path}: states {' and '.join(f'{name}={value}' for name, value in values.items())}")
        found.append(next(iter(values.values()), None))
    return State(*found)


def comment_state(path: Path, line: int, comment: str) -> State:
    """Return what a comment of free text states as `charge=-1 multiplicity=2`."""
    return state_of(path, line, {name.lower(): word for name, word in _STATED.findall(comment)})


def _whole(path: Path, line: int | None, name: str, value: Any) -> int:
    return integer(path, line, re.sub(r"(?<=\d)\.0*$", "", str(value)), name)


def energy_of(path: Path, frame: str, info: Mapping[str, Any]) -> float | None:
    """Return the energy [kcal/mol] of the keys that have one; raises InputError where they differ."""
    found = {
        key: float(floats(path, None, [str(info[key])], f"{key} of frame {frame}")[0]) * unit
        for key, unit in ENERGIES.items()
        if key in info
    }
    if found and max(found.values()) - min(found.values()) > 1e-6 * units.HARTREE:
        keys = ", ".join(found)
        raise InputError(f"{path}: frame {frame} states its energy more than once ({keys}); leave one")
    return next(iter(found.values()), None)


def comment_energy(path: Path, frame: str, comment: str) -> float | None:
    """Return the energy [kcal/mol] in a comment of free text, where it says its unit or is of a known program.

    Gives an InputWarning where the unit of what looks like an energy is not known.
    """
    keys = {key: value for key, value in stated(comment).items() if key in ENERGIES and key.startswith("energy_")}
    if keys:
        return energy_of(path, frame, keys)
    if (found := _WITH_UNIT.search(comment)) is not None:
        return float(floats(path, None, [found[1]], f"energy of frame {frame}")[0]) * _UNITS[found[2].lower()]
    if (known := next((match for one in _IN_HARTREE if (match := one.search(comment))), None)) is not None:
        return float(floats(path, None, [known[1]], f"energy of frame {frame}")[0]) * units.HARTREE
    if _LOOKS_LIKE_AN_ENERGY.search(comment):
        said = "the energy in a comment is not read, since its unit is not known; write energy_hartree=… or energy_ev=…"
        warnings.warn(InputWarning(f"{path}: {said}"), stacklevel=2)
    return None


def stress_of(path: Path, frame: str, info: Mapping[str, Any], volume: float) -> Float[np.ndarray, "3 3"] | None:
    """Return the stress [kcal/mol/Å³] of a cell's frame; raises InputError where keys contradict each other."""
    units_of = dict.fromkeys(STRESSES, units.ELECTRONVOLT) | dict.fromkeys(VIRIALS, -units.ELECTRONVOLT / volume)
    found = {
        key: tensor(path, frame, key, info[key]) * unit for key, unit in units_of.items() if info.get(key) is not None
    }
    values = list(found.values())
    if any(np.abs(one - values[0]).max() > 1e-4 * np.abs(values[0]).max() + 1e-6 for one in values[1:]):
        raise InputError(
            f"{path}: frame {frame} states stresses that contradict each other ({', '.join(found)}); a stress is "
            "(1/V) ∂E/∂ε in eV/Å³, a virial -∂E/∂ε in eV"
        )
    return values[0] if values else None


def tensor(path: Path, frame: str, name: str, value: Any) -> Float[np.ndarray, "3 3"]:
    """Return a symmetric tensor of nine numbers, or of six in Voigt's order: xx, yy, zz, yz, xz, xy."""
    given = np.asarray(value, np.float64).ravel()
    if len(given) == 6:
        given = given[[0, 5, 4, 5, 1, 3, 4, 3, 2]]
    if len(given) != 9 or not np.isfinite(given).all():
        raise InputError(f"{path}: frame {frame}: {name} is neither nine numbers nor six")
    whole = given.reshape(3, 3)
    if np.abs(whole - whole.T).max() > 1e-4 * np.abs(whole).max():
        raise InputError(f"{path}: frame {frame}: {name} is not symmetric")
    return 0.5 * (whole + whole.T)


def without_state(comment: str) -> str:
    """Return a comment of free text without the charge and the multiplicity that it states."""
    return _STATED.sub("", comment)


def gradient_of(path: Path, frame: str, columns: Mapping[str, Any]) -> Float[np.ndarray, "atoms 3"] | None:
    """Return the gradient [kcal/mol/Å] of the column that has one; raises InputError where there are several."""
    found = [key for key in GRADIENTS if columns.get(key) is not None]
    if len(found) > 1:
        raise InputError(f"{path}: frame {frame} has forces in several columns ({', '.join(found)}); leave one")
    # What overflows becomes infinite, which a Part refuses.
    with np.errstate(over="ignore"):
        return np.asarray(columns[found[0]], dtype=np.float64) * GRADIENTS[found[0]] if found else None
