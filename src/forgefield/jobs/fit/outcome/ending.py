"""How a fit ended, after what effort, and what ran it."""

import platform
from importlib import metadata

import jax
import numpy as np

from forgefield.jobs.fit.plan.plan import Plan
from forgefield.jobs.fit.run.passes import Passed
from forgefield.report.results import Ending, Provenance


def ending(passes: list[Passed], plan: Plan, lacking: str) -> Ending:
    """Return how the passes of a fit ended; `lacking` says why it is no success."""
    last, effort = passes[-1].fit, [p.fit.effort for p in passes]
    compile_s, run_s = (float(sum(getattr(one, name) for one in effort)) for name in ("compile_s", "run_s"))
    return Ending(
        success=not lacking,
        converged=last.success,
        message=last.message,
        reason=lacking,
        iterations=sum(p.fit.n_iterations for p in passes),
        engine=plan.engine_name,
        starts=len(passes[0].fit.starts_cost),
        evaluations=int(sum(one.evaluations for one in effort)),
        gradients=int(sum(one.gradients for one in effort)),
        wall_s=compile_s + run_s,
        compile_s=compile_s,
        run_s=run_s,
        promise=last.promise,
        cost=float(np.min(last.starts_cost)),
    )


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
