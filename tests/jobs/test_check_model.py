"""`forgefield check`: sound force fields pass, and what does not hold is named."""

import json
from functools import cache
from pathlib import Path

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from forgefield.assign.rules import rules_of
from forgefield.io.forcefields.neural.painn_file import write_painn
from forgefield.io.molecules import read_structures
from forgefield.jobs import check_model
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.models.model import AbstractModel
from forgefield.models.neural.painn import Design, Painn, Size, painn
from forgefield.models.neural.radial import CosineEnvelope, SineBasis
from forgefield.molecules.molecule import Molecule

CH3F = Path(__file__).parents[2] / "examples/ch3f/ch3f.json"


@cache
def network():
    return painn(jr.key(2), Design((1, 6, 9), SineBasis(6, 3.0), CosineEnvelope(), 23.06), Size(8, 2, 6))


class Wrong(AbstractModel):
    """A model with something wrong."""

    model: Painn

    @property
    def traits(self):
        return self.model.traits

    def with_precision(self, dtype):
        return type(self)(self.model.with_precision(dtype))

    def energy(self, topology, positions):
        return self.model.energy(topology, positions)

    def gradient(self, topology, positions):
        return self.model.gradient(topology, positions)

    def energy_and_gradient(self, topology, positions):
        return self.energy(topology, positions), self.gradient(topology, positions)

    def hessian(self, topology, positions):
        return self.model.hessian(topology, positions)

    def charges(self, topology):
        return self.model.charges(topology)


class Drifting(Wrong):
    """Its energy depends on where the molecule is, and its gradient does not say so."""

    def energy(self, topology, positions):
        return self.model.energy(topology, positions) + positions[0, 0]


class Ordered(Wrong):
    """It takes the first atom for another."""

    def gradient(self, topology, positions):
        return self.model.gradient(topology, positions).at[0].multiply(2.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    write_estimated(folder / "ch3f.frcmod", estimate([CH3F], form="harmonic"))
    write_painn(folder / "network.safetensors", network())
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n_checks"), [("ch3f.frcmod", 8), ("network.safetensors", 10)])
def test_sound_force_fields_pass_every_check(forgefield, folder, name, n_checks):
    done = forgefield("check", folder / name, CH3F, "--json")

    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert told["sound"]
    assert [len(one["checks"]) for one in told["structures"]] == [n_checks]


@pytest.mark.slow
def test_what_does_not_hold_is_named_and_ends_with_one(forgefield, folder, monkeypatch):
    _, molecules = check_model.opened(folder / "network.safetensors", [CH3F])
    monkeypatch.setattr(check_model, "opened", lambda *_: (rules_of(Drifting(network())), molecules))

    done = forgefield("check", "any", CH3F)

    assert done.exit_code == 1
    assert "ch3f: 2 of 10 checks fail" in done.stdout
    failing = {line.split("  ")[0] for line in done.stdout.splitlines() if line.rstrip().endswith("FAILS")}
    assert failing == {"forces are the slope of the energy", "energy stays when the molecule moves and turns"}


def test_a_model_that_goes_by_the_order_of_atoms_is_found_out():
    molecule = read_structures(CH3F)[0]
    for model, holds in ((network(), True), (Ordered(network()), False)):
        laid, topology = rules_of(model.with_precision(jnp.float64)).lay([molecule])

        (check,) = check_model.reversal(rules_of(model), molecule, laid, topology)

        assert check.holds is holds


def test_a_deviation_that_is_no_number_does_not_hold():
    assert not check_model.Check("one", float("nan"), 1.0, "").holds


@pytest.mark.slow
def test_an_atom_alone_has_no_cutoff_to_pass():
    model, topology = rules_of(network().with_precision(jnp.float64)).lay(
        [Molecule("F", np.array([9]), np.zeros((1, 3)), charge=-1)]
    )

    checks = list(check_model.checked(model, topology, np.zeros((1, 3))))

    assert len(checks) == 7
    assert all(check.holds for check in checks)
