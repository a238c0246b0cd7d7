"""Which torsional constants a fit changes: of flat molecules those that conjugation makes."""

from pathlib import Path

import pytest

from forgefield.jobs.fit.plan.asked import asked
from forgefield.jobs.fit.plan.prepare import prepare_plan

MOLECULES = Path(__file__).parents[4] / "examples/molecules"


@pytest.mark.parametrize(
    ("molecule", "row", "changed"),
    [
        ("formamide", "torsion H1-N1-C1-O1", ["v2"]),
        # Formic acid turns about a bond of a planar centre and of an atom with two bonds.
        ("formic-acid-dimer", "torsion H1-C1-O1-H2", ["v2"]),
        ("acetone", "torsion H1-C1-C2-O1", ["v1", "v2", "v3"]),
        ("methanol", "torsion H1-C1-O1-H2", ["v1", "v2", "v3"]),
        # The ester of aspirin is turned out of the plane of the ring by 54°.
        ("aspirin", "torsion C2-O2-C3-C4", ["v1", "v2", "v3"]),
        ("aspirin", "torsion C4-C4-C4-C4", ["v2"]),
    ],
)
def test_flat_torsions_between_planar_centres_are_twofold(molecule, row, changed, tmp_path):
    plan, _ = asked([MOLECULES / f"{molecule}.json"], tmp_path)

    names = prepare_plan(plan).changes().names

    assert [name.removeprefix(f"{row} ") for name in names if name.startswith(row)] == changed
