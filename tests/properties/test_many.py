import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import union
from forgefield.properties import many as module
from forgefield.properties.many import Ladder, Rung, chunked, cpu_ladder, energies_and_gradient, gpu_ladder, many
from forgefield.units import ELECTRONVOLT

# Most of the time goes into compiling whole models.
pytestmark = pytest.mark.slow

LADDER = Ladder((Rung(6, 6), Rung(12, 12)), budget=8, threads=2)


@pytest.fixture(scope="module")
def model():
    design = Design((1, 6, 8), SineBasis(6, 4.0), QuinticEnvelope(), ELECTRONVOLT)
    return painn(jr.key(3), design, Size(8, 2, 6))


def molecule(generator, n):
    grid = np.stack(np.meshgrid(*[np.arange(3.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = 1.4 * grid[:n] + 0.1 * generator.normal(size=(n, 3))
    return Molecule(f"cluster of {n}", generator.choice([1, 6, 8], n), positions)


def test_each_molecule_has_the_result_it_has_alone_in_the_order_given(model, generator):
    molecules = [molecule(generator, n) for n in (3, 11, 1, 3, 11, 1, 3)]

    results = many(model, molecules, ladder=LADDER)

    assert len(results) == len(molecules)
    for each, result in zip(molecules, results, strict=True):
        topology, x = union([each.species]), jnp.asarray(each.positions)
        energy, gradient = energies_and_gradient(model, topology, x)
        assert abs(result.energy - float(energy[0])) < 1e-4 * ELECTRONVOLT
        np.testing.assert_allclose(result.gradient, gradient, atol=1e-5 * ELECTRONVOLT)


def test_any_mix_of_molecules_is_compiled_once_for_each_rung(model, generator, monkeypatch):
    traces = []

    @eqx.filter_jit
    def counted(model, topology, positions):
        traces.append(topology.n_atoms)
        return model.energy(topology, positions), positions

    monkeypatch.setattr(module, "energies_and_gradient", counted)
    for _ in range(6):
        many(model, [molecule(generator, int(n)) for n in generator.integers(1, 13, 9)], ladder=LADDER)

    assert sorted(traces) == [6, 12]


def test_ladders_have_at_most_twenty_rungs_that_grow_by_steps():
    for ladder in (cpu_ladder(), gpu_ladder()):
        assert len(ladder.rungs) <= 20
        assert ladder.rung(60, 60).atoms <= 64
        small = [ladder.rung(n, n).atoms for n in range(8, 61)]
        assert small == sorted(small)


def test_chunks_hold_each_molecule_once_and_keep_to_the_budget(generator):
    sizes = generator.integers(1, 40, 50).tolist()

    chunks = chunked(sizes, 24)

    assert sorted(k for chunk in chunks for k in chunk) == list(range(50))
    assert all(len(chunk) == 1 or sum(sizes[k] for k in chunk) <= 24 for chunk in chunks)


def test_chunks_are_halved_where_memory_runs_out(model, generator, monkeypatch):
    attempts = []
    original = module.energies_and_gradient

    def limited(model, topology, positions):
        attempts.append(topology.n_atoms)
        if topology.n_atoms > 6:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating bytes.")
        return original(model, topology, positions)

    monkeypatch.setattr(module, "energies_and_gradient", limited)
    molecules = [molecule(generator, 3) for _ in range(4)]

    results = many(model, molecules, ladder=Ladder(LADDER.rungs, budget=12))

    assert attempts == [12, 6, 6]
    assert len(results) == 4


def test_other_failures_and_single_molecules_that_do_not_fit_are_told(model, generator, monkeypatch):
    def full(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating bytes.")

    monkeypatch.setattr(module, "energies_and_gradient", full)
    with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE"):
        many(model, [molecule(generator, 3)] * 2, ladder=LADDER)
    with pytest.raises(InputError, match="molecule of 13 atoms is larger than the ladder's last rung"):
        many(model, [molecule(generator, 13)], ladder=LADDER)


def test_no_molecules_have_no_results(model):
    assert many(model, []) == []
