"""JAX in processes that were forked, where it cannot run."""

import os
from functools import cache

from forgefield.errors import InputError


def require_own_jax() -> None:
    """Note that JAX is used in this process.

    Raises InputError in one that was forked from another in which it was used: its threads are not there, and it would
    wait for them for ever.
    """
    if _first_process() != os.getpid():
        raise InputError(
            "this process was forked from one that computes with JAX, whose threads do not survive that; start "
            'processes by multiprocessing.get_context("spawn"), or with joblib or Dask'
        )


@cache
def _first_process() -> int:
    return os.getpid()
