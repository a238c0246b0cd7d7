"""What ran a fit: versions, device and precision."""

import platform
from importlib import metadata

import jax

from forgefield.report.results import Provenance


def provenance(input_sha256: str) -> Provenance:
    """Return what ran: versions, device and precision."""
    packages = {name: metadata.version(name) for name in ("jax", "jaxlib", "numpy", "scipy", "equinox")}
    return Provenance(
        version=metadata.version("forgefield"),
        input_sha256=input_sha256,
        packages={"python": platform.python_version(), **packages},
        device=str(jax.devices()[0]),
        precision="float64",
    )
