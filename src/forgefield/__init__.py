"""Learns molecular force fields from quantum chemistry and runs them."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from forgefield.api import (
        AbstractRules,
        Assignment,
        Difference,
        DynamicsSettings,
        EstimatedForceField,
        Evaluated,
        Example,
        ForceField,
        ForgeFieldCalculator,
        ForgeFieldError,
        InputError,
        Listing,
        MissingParameters,
        Molecule,
        Outcome,
        Reference,
        Topology,
        Validation,
        Vibrations,
        diff,
        estimate,
        evaluate,
        fit,
        load,
        md,
        modes,
        read,
        relax,
        write,
    )

    __version__: str

__all__ = [
    "AbstractRules",
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
    "__version__",
    "diff",
    "estimate",
    "evaluate",
    "fit",
    "load",
    "md",
    "modes",
    "read",
    "relax",
    "write",
]


def __getattr__(name: str) -> object:
    # What is offered is imported when it is first used (PEP 562), so that importing the package costs nothing.
    if name == "__version__":
        return _import_module("importlib.metadata").version("forgefield")
    if name in __all__:
        return getattr(_import_module("forgefield.api"), name)
    raise AttributeError(f"module 'forgefield' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
