"""How many cores there are to compute on."""

import os


def n_cores() -> int:
    """Return how many cores this process may use: a batch system may give it some of those that the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
