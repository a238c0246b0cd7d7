"""Learns molecular force fields from quantum chemistry and runs them."""

import sys as _sys
from importlib import import_module as _import_module
from types import ModuleType as _Module
from typing import Any as _Any

_NAMES = (
    "Assignment",
    "Difference",
    "DynamicsSettings",
    "EstimatedForceField",
    "Evaluated",
    "Example",
    "ForceField",
    "ForgeFieldCalculator",
    "ForgeFieldError",
    "InputError",
    "Listing",
    "MissingParameters",
    "Molecule",
    "Outcome",
    "Reference",
    "Topology",
    "Validation",
    "Vibrations",
    "diff",
    "estimate",
    "evaluate",
    "fit",
    "md",
    "modes",
    "read",
    "relax",
    "write",
)


class _Package(_Module):
    """A package whose functions `fit` and `estimate` are not hidden by the folders of these names."""

    def __setattr__(self, name: str, value: object) -> None:
        # The import system sets each imported folder as an attribute.
        if name not in _NAMES or not isinstance(value, _Module):
            super().__setattr__(name, value)


def __getattr__(name: str) -> _Any:
    # Everything else is imported when it is first used, so that `forgefield --help` answers at once.
    if name in _NAMES:
        return getattr(_import_module("forgefield.jobs.api"), name)
    raise AttributeError(f"module 'forgefield' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_NAMES)


_sys.modules[__name__].__class__ = _Package
