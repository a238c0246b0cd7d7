from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from forgefield.distil import batches
from forgefield.distil.batches import Feed, Replay, batch_in_parts, batch_of, combined, sight_of
from forgefield.distil.deviations import deviations
from forgefield.distil.losses import Losses, losses, scales, with_losses
from forgefield.distil.parallel import losses_and_slope
from forgefield.distil.recipe import OPTIMISERS, Recipe, Weights
from forgefield.distil.training import _trained, begin, reference_energies, run, train
from forgefield.errors import InputError
from forgefield.io.checkpoint import read_arrays, write_checkpoint
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.molecules.lattice import Lattice
from forgefield.molecules.molecule import HessianProducts, Reference
from forgefield.properties.derivatives import hessians
from forgefield.units import ELECTRONVOLT

# Most of the time goes into compiling whole models.
pytestmark = pytest.mark.slow

found_losses = eqx.filter_jit(losses)
"""Operation by operation, third derivatives of a network take a gigabyte."""
RECIPE = Recipe(steps=150, batch=4, check_every=50)


@pytest.fixture(scope="module")
def model():
    design = Design((1, 8), SineBasis(5, 3.0), QuinticEnvelope(), ELECTRONVOLT)
    return painn(jr.key(5), design, Size(8, 1, 5))


def spring(generator, n=2, k=300.0, r0=1.0):
    """A molecule whose atoms are joined in a row by springs: energy and gradient by hand."""
    x = np.arange(n)[:, None] * np.array([[1.0, 0.0, 0.0]]) + 0.05 * generator.normal(size=(n, 3))
    d = np.diff(x, axis=0)
    r = np.linalg.norm(d, axis=1, keepdims=True)
    pull = k * (r - r0) * d / r
    gradient = np.zeros((n, 3))
    gradient[1:] += pull
    gradient[:-1] -= pull
    return Reference(np.array([8, 1, 1][:n]), x, float(0.5 * k * np.sum((r - r0) ** 2)) - 100.0 * n, gradient)


@pytest.fixture
def references(generator):
    return [spring(generator, 2 + k % 2) for k in range(24)]


def curved(reference, generator):
    """A reference with two Hessian products by differences of the gradient, and energies of atoms."""
    n = len(reference.species)
    directions = generator.normal(size=(2, n, 3))
    values = generator.normal(size=(2, n, 3))
    return replace(
        reference, products=HessianProducts(directions, values), atomic_energies=generator.normal(size=n) - 100.0
    )


@pytest.mark.slow
def test_training_learns_springs(model, references):
    told = []

    trained = train(model, references[:16], references[16:], RECIPE, tell=told.append)

    typical = np.sqrt(np.mean(np.concatenate([r.gradient.ravel() for r in references[16:]]) ** 2))
    assert trained.errors.force_rmse < 0.4 * typical
    assert [int(look.course.step) for look in told] == [50, 100, 150]
    assert trained.step == [int(look.course.step) for look in told if look.better][-1]
    found = deviations(trained.model, references[16:])
    assert trained.errors == found.errors
    np.testing.assert_allclose(told[-1].course.merit, found.merit(RECIPE.weights))


def test_the_loss_is_that_of_the_molecules_whatever_fills_the_batch(model, references, generator):
    some = [curved(r, generator) for r in references[:3]]
    weights = Weights(1.0, 1.0, 1.0, 1.0)

    alone, filled = (found_losses(model, batch_of(some, n, 3), weights) for n in (7, 12))

    np.testing.assert_allclose(filled, alone, rtol=1e-5)


@pytest.mark.parametrize("kind", ["mse", "mae", "huber"])
def test_the_loss_is_the_weighted_mean_of_what_its_kind_makes_of_errors(model, references, generator, kind):
    triples = [curved(r, generator) for r in references if len(r.species) == 3][:3]
    weights = Weights(2.0, 3.0, 0.5, 0.0, kind=kind, corner=0.02)
    seen = deviations(model, triples)

    found = found_losses(model, batch_of(triples, 9, 3), weights)

    def mean(errors):
        x = np.abs(np.concatenate([np.ravel(e) for e in errors])) / ELECTRONVOLT
        return {"mse": x**2, "mae": x, "huber": np.where(x < 0.02, x**2 / 0.04, x - 0.01)}[kind].mean()

    expected = 2.0 * mean([seen.energy / 3]) + 3.0 * mean(seen.gradient) + 0.5 * mean(seen.product)
    np.testing.assert_allclose(found.total(weights), expected, rtol=1e-4)
    np.testing.assert_allclose(seen.merit(weights), expected, rtol=1e-4)


def test_the_loss_of_products_is_of_the_hessian(model, references, generator):
    triple = curved(next(r for r in references if len(r.species) == 3), generator)
    precise = model.with_precision(jnp.float64)
    batch = batch_of([triple], 3, 3)
    direction, product = combined(triple, None)

    found = found_losses(precise, batch, Weights(product=1.0)).product

    hessian = np.asarray(hessians(precise, batch.topology, jnp.asarray(batch.positions)))[0]
    off = (hessian @ direction.ravel() - product.ravel()) / ELECTRONVOLT
    np.testing.assert_allclose(found, np.mean(off**2), rtol=1e-6)


def test_energies_of_atoms_are_compared_where_they_are_known(model, references, generator):
    known, unknown = curved(references[1], generator), references[3]
    batch = batch_of([known, unknown], 6, 3)

    found = found_losses(model, batch, Weights(atomic_energy=1.0)).atomic_energy

    each = np.asarray(eqx.filter_jit(model.atomic_energies)(batch.topology, jnp.asarray(batch.positions)))[:3]
    np.testing.assert_allclose(found, np.mean(((each - known.atomic_energies) / ELECTRONVOLT) ** 2), rtol=1e-4)


def test_balanced_losses_have_their_shares_of_the_slope():
    weights = Weights(energy=2.0, force=1.0, product=0.5, balanced=True)
    running = Losses(*jnp.array([1e-4, 1e-2, 3.0, 7.0, 7.0]))

    factors = scales(running, weights)

    np.testing.assert_allclose(factors, [100.0, 1.0, 1e-2 / 3.0, 1.0, 1.0], rtol=1e-6)
    parts = [Losses(*(one * float(k == n) for k, one in enumerate(running))).total(weights, factors) for n in range(5)]
    np.testing.assert_allclose(np.array(parts) / parts[1], [2.0, 1.0, 0.5, 0.0, 0.0], rtol=1e-6)
    np.testing.assert_array_equal(scales(running, Weights()), np.ones(5))


def test_running_losses_forget_what_is_long_ago_and_keep_what_a_batch_lacks():
    running = Losses(*jnp.zeros(5))
    for step in range(300):
        found = Losses(*jnp.array([5.0 if step < 100 else 1.0, 2.0, 3.0 if step == 0 else 0.0, 0.0, 0.0]))
        running = with_losses(running, found, jnp.asarray(step))

    np.testing.assert_allclose(running[1:], [2.0, 3.0, 0.0, 0.0])
    assert 1.0 < running.energy < 1.4


def test_the_merit_of_balanced_losses_does_not_hang_on_their_units():
    weights = Weights(energy=1.0, force=3.0, balanced=True)
    one, other = (Losses(*jnp.array(values)) for values in ([1e-3, 2e-2, 0.0, 0.0, 0.0], [2e-3, 1e-2, 0.0, 0.0, 0.0]))

    found = other.merit(weights) - one.merit(weights)

    np.testing.assert_allclose(found, np.log(2.0) - 3.0 * np.log(2.0), rtol=1e-5)


def test_parts_add_up_to_the_whole(model, references, generator, monkeypatch):
    some = [curved(r, generator) if k % 2 else r for k, r in enumerate(references[:7])]
    weights = Weights(1.0, 1.0, 1.0, 1.0)
    model, fixed = eqx.partition(model.with_precision(jnp.float64), _trained(model))
    slope_of = jax.jit(losses_and_slope, static_argnums=3)

    found = {}
    for pairs in (1, 27, 1000):
        monkeypatch.setattr(batches, "_PAIRS", pairs)
        batch = batch_in_parts(some, 3)
        assert len(batch.energy) == {1: 7, 27: 3, 1000: 1}[pairs]
        found[pairs] = slope_of(model, fixed, batch, Recipe(weights=weights), Losses(*jnp.ones(5)))

    whole = found[1000][0]
    np.testing.assert_allclose(
        whole, found_losses(eqx.combine(model, fixed), batch_of(some, 21, 3), weights), rtol=1e-9
    )
    for pairs in (1, 27):
        for one, other in zip(jax.tree.leaves(found[pairs]), jax.tree.leaves(found[1000]), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)


def test_molecules_apart_add_up_to_the_whole(model, references, generator, monkeypatch):
    some = [curved(r, generator) if k % 2 else r for k, r in enumerate(references[:7])]
    recipe, one = Recipe(weights=Weights(1.0, 1.0, 1.0, 1.0)), Losses(*jnp.ones(5))
    model = model.with_precision(jnp.float64)
    slope_of = jax.jit(losses_and_slope, static_argnums=3)
    expected = slope_of(*eqx.partition(model, _trained(model)), batch_in_parts(some, 3), recipe, one)

    for pairs in (1, 27, 1000):
        monkeypatch.setattr(batches, "_FUSED_PAIRS", pairs)
        fused = replace(model, fused=True)
        batch = batch_in_parts(some, 3, fused=True)
        assert batch.energy.shape[:2] == {1: (7, 1), 27: (3, 3), 1000: (1, 7)}[pairs]
        found = slope_of(*eqx.partition(fused, _trained(fused)), batch, recipe, one)

        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("periodic", [False, True])
def test_batches_of_one_each_are_those_of_one(references, generator, periodic):
    some = [curved(r, generator) if k % 2 else r for k, r in enumerate(references[:5])]
    if periodic:
        lattice = Lattice(6.0 * np.eye(3), (True, True, False))
        some[1] = replace(some[1], lattice=lattice, stress=generator.normal(size=(3, 3)))
    sight, draws = sight_of(some, 3.0), np.random.default_rng(3)

    found = jax.tree.map(lambda one: one[0], batch_in_parts(some, 4, np.random.default_rng(3), sight, fused=True))

    expected = jax.tree.map(lambda *each: np.stack(each), *(batch_of([one], 4, 4, draws, sight) for one in some))
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)


def test_directions_are_redrawn_among_those_that_are_known(references, generator):
    known = curved(references[1], generator)
    assert known.products is not None
    matrix = generator.normal(size=(9, 9))
    values = np.einsum("ij,kj->ki", matrix, known.products.directions.reshape(2, -1)).reshape(2, 3, 3)
    known = replace(known, products=HessianProducts(known.products.directions, values))

    drawn = [combined(known, np.random.default_rng(k)) for k in range(3)]

    for direction, product in drawn:
        np.testing.assert_allclose(np.mean(direction**2), 1.0)
        np.testing.assert_allclose(matrix @ direction.ravel(), product.ravel(), rtol=1e-9, atol=1e-9)
    assert not np.allclose(drawn[0][0], drawn[1][0])


def test_each_reference_comes_once_an_epoch(references):
    sizes = np.array([len(r.species) for r in references])
    asked = []

    def fetch(places):
        asked.append(places)
        return [references[k] for k in places]

    feed = Feed(fetch, sizes, 4, 0)
    for step in range(2 * feed.steps_of_epoch):
        feed(step)

    assert feed.steps_of_epoch == 6
    assert sorted(k for places in asked[:6] for k in places) == list(range(24))
    assert asked[:6] != asked[6:]
    assert all(len({int(sizes[k]) for k in places}) == 1 for places in asked)


def test_new_references_come_with_their_share_of_old_ones(references):
    sizes = np.array([len(r.species) for r in references])
    new = np.arange(24) % 6 < 2
    asked = []

    def fetch(places):
        asked.append(places)
        return [references[k] for k in places]

    feed = Feed(fetch, sizes, 4, 0, Replay(new, 1.0))
    for step in range(3 * feed.steps_of_epoch):
        feed(step)

    assert feed.steps_of_epoch == 4
    for first in (0, 4, 8):
        seen = [k for places in asked[first : first + 4] for k in places]
        assert sorted(k for k in seen if new[k]) == np.flatnonzero(new).tolist()
        assert len({k for k in seen if not new[k]}) == 8
    assert {sum(bool(new[k]) for k in places) for places in asked} == {2}
    assert len({k for places in asked for k in places}) > 16


def test_what_a_step_sees_follows_from_its_number(references):
    sizes = np.array([len(r.species) for r in references])
    one, other = (Feed(lambda places: [references[k] for k in places], sizes, 4, 3) for _ in range(2))
    for step in range(8):
        one(step)

    np.testing.assert_array_equal(one(9).positions, other(9).positions)


@pytest.mark.slow
def test_resumed_it_goes_on_as_if_it_had_not_ended(model, references, generator, tmp_path):
    training = [curved(r, generator) for r in references[:16]]
    weights = Weights(product=0.01, balanced=True)
    recipe = replace(RECIPE, steps=9, check_every=4, weights=weights, warmup=2)
    sizes = np.array([len(r.species) for r in training])
    feed = Feed(lambda places: [training[k] for k in places], sizes, 4, 0)
    whole = [look.course for look in run(model, begin(model, recipe), feed, references[16:], recipe)]

    write_checkpoint(tmp_path / "course", whole[0], {})
    kept = jax.tree.map(jnp.asarray, read_arrays(tmp_path / "course", begin(model, recipe)))
    again = [look.course for look in run(model, kept, feed, references[16:], recipe)]

    assert [int(course.step) for course in whole] == [4, 8, 9]
    assert bool(eqx.tree_equal(again[-1], whole[-1]))


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_every_optimiser_lowers_the_loss(model, references, optimiser):
    rate = 3e-4 if optimiser == "lion" else 3e-3
    told = []
    recipe = replace(RECIPE, steps=60, check_every=20, optimiser=optimiser, learning_rate=rate, warmup=5)

    train(model, references[:16], references[16:], recipe, tell=told.append)

    assert told[-1].losses.total(recipe.weights) < told[0].losses.total(recipe.weights)


@pytest.mark.slow
def test_accumulated_gradients_make_one_step(model, references):
    recipe = replace(RECIPE, steps=4, check_every=1, accumulate=2, warmup=0)

    told = []
    train(model, references[:16], references[16:], recipe, tell=told.append)

    first, second, third, fourth = (look.course.weights.embedding for look in told)
    np.testing.assert_array_equal(first, begin(model, recipe).weights.embedding)
    assert not np.array_equal(second, first)
    np.testing.assert_array_equal(third, second)
    assert not np.array_equal(fourth, third)


@pytest.mark.slow
def test_training_ends_when_it_gets_no_better(model, references):
    # No weight changes by so little.
    recipe = replace(RECIPE, steps=1000, check_every=1, patience=2, learning_rate=1e-30, warmup=0)
    told = []

    train(model, references[:16], references[16:], recipe, tell=told.append)

    assert [look.better for look in told] == [True, False, False]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"steps": 0}, "steps must be 1 or more"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive"),
        ({"optimiser": "sgd"}, "'sgd' is not one of"),
        ({"weights": Weights(0.0, 0.0)}, "some error must weigh more than zero"),
        ({"weights": Weights(-1.0)}, "energy must not be negative"),
        ({"averaging": 2.0}, "averaging must be from 0 to 1"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_told(changed, said):
    with pytest.raises(InputError, match=said):
        Recipe(**changed)


def test_reference_energies_add_up(references):
    energies = np.array([r.energy for r in references])
    shares = reference_energies((1, 8), [r.species for r in references], energies)

    sums = [shares @ [np.sum(r.species == 1), np.sum(r.species == 8)] for r in references]
    assert np.ptp(energies - sums) < 10.0


def test_references_without_forces_are_refused(model, references):
    bare = [replace(references[0], gradient=None), references[1]]

    with pytest.raises(InputError, match="references 1 of 2 lack them"):
        train(model, bare, references, RECIPE)


@pytest.mark.slow
def test_divergence_is_told(model, references):
    recipe = replace(RECIPE, steps=30, learning_rate=1e30, warmup=0, check_every=1)
    with pytest.raises(InputError, match="training diverged"):
        train(model, references[:4], references[4:6], recipe)


@pytest.mark.slow
def test_double_precision_trains_too(model, references):
    precise = model.with_precision(jnp.float64)

    trained = train(precise, references[:8], references[8:10], replace(RECIPE, steps=2))

    assert trained.model.embedding.dtype == jnp.float64
