"""Whether a program has our energies of a system."""

import pytest
from judges import by_forgefield as ours


def require_same(theirs, system, positions, *, torsion=1e-6):
    wanted = ours(system, positions)
    allowed = {"torsion": torsion, "total": 1e-6 + torsion}
    for kind in ("stretch", "bend", "torsion", "cmap", "vdw", "electrostatic", "total"):
        assert theirs.get(kind, 0.0) == pytest.approx(wanted.get(kind, 0.0), abs=allowed.get(kind, 1e-6)), kind
