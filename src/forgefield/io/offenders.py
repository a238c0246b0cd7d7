"""Lists what a message complains about without drowning its reader."""

from collections.abc import Sequence

SHOWN = 5
"""Offenders that a message quotes; the rest are counted."""


def listed(offenders: Sequence[str], *, shown: int = SHOWN, separator: str = ", ") -> str:
    """Return the first offenders with a separator between them, and the number of the others."""
    more = f"{separator.rstrip(', ')} and {len(offenders) - shown} more" if len(offenders) > shown else ""
    return separator.join(offenders[:shown]) + more
