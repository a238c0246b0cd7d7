"""Lists what a message complains about without drowning its reader."""

from collections.abc import Sequence

SHOWN = 5
"""Offenders that a message quotes; the rest are counted."""


def listed(offenders: Sequence[str]) -> str:
    """Return the first offenders, separated by commas, and the number of the others."""
    more = f" and {len(offenders) - SHOWN} more" if len(offenders) > SHOWN else ""
    return ", ".join(offenders[:SHOWN]) + more
