"""Learns molecular force fields from quantum chemistry and runs them."""

from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from forgefield.api import *  # noqa: F403 (the names are listed there)
    from forgefield.api import __all__ as __all__

    __version__: str
else:

    def __getattr__(name: str) -> object:
        # What is offered is imported when it is first used (PEP 562), so that importing the package costs nothing.
        if name == "__version__":
            return _import_module("importlib.metadata").version("forgefield")
        if name == "__all__" or not (name.startswith("_") or _find_spec(f"{__name__}.{name}")):
            api = _import_module("forgefield.api")
            if name in ("__all__", *api.__all__):
                return getattr(api, name)
        raise AttributeError(f"module 'forgefield' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_import_module("forgefield.api").__all__, "__version__"])
