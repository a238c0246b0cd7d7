"""What a process that runs a command is given: double precision, kept programs, its share of threads."""

import logging
import math
import os

import jax

from forgefield.cache import CacheError, folder, mended
from forgefield.cli.collecting import collect_seldom
from forgefield.cli.console import say
from forgefield.jobs.threads import one_thread_a_matrix


def configure(*, verbose: bool) -> None:
    """Compute in float64 and keep compiled programs in the user's cache folder."""
    collect_seldom()
    jax.config.update("jax_enable_x64", True)
    one_thread_a_matrix()
    # Threads of xTB and PySCF that wait sleep: else, where others want the cores too, all takes three times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    logger = logging.getLogger("forgefield")
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    if not logger.handlers:
        logger.addHandler(_Said())
    _keep_programs(verbose=verbose)


class _Said(logging.Handler):
    """Writes what the package logs to stderr, a line each."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        say(self.format(record))


def _keep_programs(*, verbose: bool) -> None:
    """Let JAX keep compiled programs in the cache, or at least use those that are there."""
    try:
        kept = mended(folder("xla"))
    except CacheError as error:
        say(f"forgefield: programs are compiled anew each time: {error}")
        return
    jax.config.update("jax_compilation_cache_dir", str(kept.path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0 if kept.writable else math.inf)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    if verbose:
        say(f"compiled programs are kept in {kept.path} (FORGEFIELD_CACHE moves them)")
