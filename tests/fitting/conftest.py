"""Problems on the examples' molecules that the tests of fits share."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from forgefield.jobs.fit.plan.prepare import prepare
from samples import BONDED, CH3F, STAGGERED, TIED, fit_toml, molecule

EXAMPLES = Path(__file__).parents[2] / "examples"
BOTH = fit_toml(
    *(CH3F, STAGGERED, molecule("eclipsed", "D")),
    forcefield=BONDED + TIED,
    targets="""
eigenmatrix = { tolerance = 40.0, off_diagonal = 100.0, weight = 2.0 }
frequencies = { tolerance = 20.0 }
hessian = { tolerance = 5.0 }
forces = { tolerance = 3.0 }
energy = { tolerance = 0.5 }
""",
)


@pytest.fixture(scope="session")
def prepared_from(tmp_path_factory):
    """Prepares the text of a FIT.toml whose references are those of the examples."""

    def prepared(text, **options):
        folder = tmp_path_factory.mktemp("fit")
        for file in EXAMPLES.glob("*/*.json"):
            shutil.copy(file, folder)
        (folder / "FIT.toml").write_text(text)
        return prepare(folder / "FIT.toml", **options)

    return prepared


@pytest.fixture(scope="session")
def ch3f(prepared_from):
    """Fluoromethane with these targets and this strength of the prior."""

    def prepared(targets, strength=0.0):
        return prepared_from(fit_toml(CH3F, targets=targets, fit=f"prior = {{ strength = {strength} }}"))

    return prepared


@pytest.fixture(scope="session")
def problem_of():
    def problem(prepared):
        return prepared.problem(prepared.changes(), prepared.start)

    return problem


@pytest.fixture(scope="session")
def both(prepared_from):
    """Fluoromethane and ethane at its minimum and saddle, five and eight atoms, with all targets and a tie."""
    return prepared_from(BOTH)


@pytest.fixture(scope="session")
def ch3f_in_figures():
    """Masses, positions, Hessian and gradient of fluoromethane as its file has them, in atomic units."""
    content = json.loads((EXAMPLES / "ch3f/ch3f.json").read_text())
    molecule, properties = content["molecule"], content["properties"]
    masses, positions = np.array(molecule["masses"]), np.reshape(molecule["geometry"], (-1, 3))
    return (
        masses,
        positions,
        np.reshape(properties["return_hessian"], (15, 15)),
        np.array(properties["return_gradient"]),
    )
