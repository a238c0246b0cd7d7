import platform
from dataclasses import replace
from functools import cache, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from ase import Atoms

from certain import known
from forgefield.distil.batches import batch_in_parts
from forgefield.distil.losses import Losses
from forgefield.distil.parallel import losses_and_slope
from forgefield.distil.recipe import Recipe, Weights
from forgefield.distil.training import _trained
from forgefield.engines.ase import ForgeFieldCalculator
from forgefield.engines.native import painn as native_painn
from forgefield.engines.native.choice import fastest
from forgefield.engines.native.library import MESSAGES, PAINN, NativeError, compiled, load, register, vector_bits_of
from forgefield.engines.native.painn import fused, native
from forgefield.engines.native.processor import vector_bits
from forgefield.errors import InputError
from forgefield.models.neural import messages
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import AbstractEnvelope, CosineEnvelope, GaussianBasis, QuinticEnvelope, SineBasis
from forgefield.molecules.molecule import HessianProducts, Reference
from forgefield.molecules.neighbour_list import neighbour_list
from forgefield.molecules.topology import union
from forgefield.properties.derivatives import hessians
from forgefield.properties.many import energies_and_gradient
from forgefield.units import ELECTRONVOLT

# Most of the time goes into compiling whole models.
pytestmark = pytest.mark.slow

try:
    compiled(PAINN)
except NativeError as error:
    pytest.skip(f"no kernel: {error}", allow_module_level=True)

SIZES = (9, 4, 1, 8)


SIZE = Size(32, 2, 6)


Basis = type[SineBasis] | type[GaussianBasis]


@cache
def network(
    basis: Basis = SineBasis,
    envelope: type[AbstractEnvelope] = QuinticEnvelope,
    core_cutoff=None,
    size=SIZE,
    states=False,
):
    """A model none of whose biases is zero."""
    design = Design((1, 6, 8), basis(size.radial, 4.0), envelope(), ELECTRONVOLT, core_cutoff)
    model = painn(jr.key(0), design, size, references=np.array([-5.0, -40.0, -60.0]), states=states)
    leaves, structure = jax.tree.flatten(model)
    keys = jr.split(jr.key(1), len(leaves))
    noise = [0.05 * jr.normal(k, a.shape, jnp.float32).astype(a.dtype) for a, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, [a + e for a, e in zip(leaves, noise, strict=True)])


@pytest.fixture
def batch(generator):
    grid = np.stack(np.meshgrid(*[np.arange(3.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = [1.5 * grid[:n] + 0.15 * generator.normal(size=(n, 3)) for n in SIZES]
    return union([generator.choice([1, 6, 8], n) for n in SIZES]), jnp.asarray(np.concatenate(positions))


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(network, id="sines"),
        pytest.param(partial(network, GaussianBasis, CosineEnvelope), id="gaussians-cosine"),
        pytest.param(partial(network, core_cutoff=1.6, size=Size(32, 1, 6)), id="cores-one-block"),
        pytest.param(partial(network, size=Size(64, 3, 8)), id="three-blocks"),
    ],
)
def test_the_kernel_computes_what_the_model_computes(made, batch):
    model = made()
    energy, gradient = energies_and_gradient(native(model), *batch)

    expected = energies_and_gradient(model, *batch)

    np.testing.assert_allclose(
        gradient, expected[1], atol=1e-5 * ELECTRONVOLT * max(1.0, np.abs(expected[1]).max() / 20)
    )
    np.testing.assert_allclose(energy, expected[0], atol=1e-4 * ELECTRONVOLT)


def test_one_pass_gives_energy_and_gradient(batch):
    jitted: Any = energies_and_gradient
    text = jitted.lower(native(network()), *batch).compile().compiled.as_text()

    assert text.count('custom_call_target="forgefield_painn"') == 1


def test_replicas_are_computed_in_one_call_and_repeat_bit_by_bit(batch, generator):
    model = native(network())
    topology, x = batch
    replicas = x[None] + 0.05 * jnp.asarray(generator.normal(size=(3, *x.shape)))

    @eqx.filter_jit
    def together(replicas):
        return jax.vmap(lambda x: (model.energy(topology, x), model.gradient(topology, x)))(replicas)

    energy, gradient = together(replicas)

    for k in range(3):
        alone = energies_and_gradient(model, topology, replicas[k])
        np.testing.assert_array_equal(energy[k], alone[0])
        np.testing.assert_array_equal(gradient[k], alone[1])


def test_unknown_elements_and_lost_atoms_are_never_given_numbers(batch):
    model = native(network())
    topology, x = batch
    unknown = eqx.tree_at(lambda t: t.species, topology, np.where(topology.molecule == 1, 17, topology.species))

    energy, gradient = energies_and_gradient(model, unknown, x)
    lost, _ = energies_and_gradient(model, topology, x.at[0, 0].set(jnp.nan))

    np.testing.assert_array_equal(np.isnan(energy), [False, True, False, False])
    np.testing.assert_array_equal(np.isnan(gradient).any(axis=1), topology.molecule == 1)
    assert np.isnan(lost[0])


def test_listed_neighbours_are_left_to_the_model(batch):
    model = network()
    topology, x = batch
    listed = neighbour_list(np.asarray(x)[:9], 4.0, 0.5).neighbours
    one = eqx.tree_at(lambda t: t.neighbours, union([topology.species[:9]]), listed, is_leaf=lambda v: v is None)

    found = energies_and_gradient(native(model), one, x[:9])

    np.testing.assert_array_equal(found[1], energies_and_gradient(model, one, x[:9])[1])


@pytest.mark.slow
def test_hessians_are_those_of_the_model(batch):
    model = network()

    np.testing.assert_array_equal(hessians(native(model), *batch), hessians(model, *batch))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (partial(network, size=Size(40, 1, 5)), "multiples of 32 features"),
        (partial(network, states=True), "charge and spin"),
        (lambda: network().with_precision(jnp.float64), "single precision"),
    ],
)
def test_models_that_the_kernel_does_not_take_stay_with_xla(made, message):
    model = made()

    with pytest.raises(NativeError, match=message):
        native(model)
    assert fastest(model) is model


def test_the_calculator_takes_the_kernel_for_the_model_that_it_is():
    model = network()
    atoms = Atoms("OCH3", [[0, 0, 0], [1.4, 0, 0.2], [1.8, 1.0, 0], [1.8, -0.9, 0.4], [-0.6, 0.7, 0.3]])
    crystal = Atoms(atoms, cell=[6.0, 6.5, 7.0], pbc=True)

    by_model, by_kernel = ForgeFieldCalculator(model), ForgeFieldCalculator(native(model))

    for calculator in (by_model, by_kernel):
        with pytest.raises(InputError, match=r"does not know N .*; it was trained on H, C, O"):
            calculator.get_potential_energy(Atoms("N"))
    for kind, system in (("forces", atoms), ("forces", crystal), ("stress", crystal)):
        found, expected = (known(each.get_property(kind, system)) for each in (by_kernel, by_model))
        np.testing.assert_allclose(found, expected, atol=1e-4)
    many = by_kernel.calculate_many([atoms, atoms[:2]])
    assert many[1]["energy"] == pytest.approx(by_model.get_potential_energy(atoms[:2]), abs=1e-4)


INSTRUCTIONS = {
    "avx512": (512, "-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw"),
    "avx2": (256, "-march=x86-64-v3"),
    "avx": (256, "-march=sandybridge"),
    "sse4": (128, "-march=x86-64-v2"),
}
"""Bits of a register, and options of the compiler that allow these instructions and no wider ones."""


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="instructions of x86 processors")
@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_the_kernel_of_any_instructions_computes_what_the_model_computes(name, batch, monkeypatch):
    bits, *options = INSTRUCTIONS[name]
    if bits > vector_bits():
        pytest.skip(f"the processor has vectors of {vector_bits()} bits")
    built = compiled(PAINN, "-march=x86-64", *options)
    load(built, replace(PAINN, target=f"painn_{name}"))
    monkeypatch.setattr(native_painn, "register", lambda _: f"painn_{name}")
    model = network(size=Size(96, 2, 6))
    expected = energies_and_gradient(model, *batch)

    kernel = native(model)

    # Not compiled, since a program remembers the kernel that it was compiled with.
    assert vector_bits_of(built) == bits
    np.testing.assert_allclose(kernel.gradient(*batch), expected[1], atol=1e-5 * np.abs(expected[1]).max())
    np.testing.assert_allclose(kernel.energy(*batch), expected[0], atol=1e-4 * ELECTRONVOLT)


SHAPES = {
    # Molecules, receivers, senders, channels, features.
    "aspirin": (2, 21, 21, 13, 64),
    "many-channels": (1, 9, 9, 33, 32),
    "two-kinds": (3, 5, 7, 21, 16),
    "one-atom": (2, 1, 1, 1, 16),
}


@pytest.fixture(scope="module", params=["native", *INSTRUCTIONS])
def messages_by(request):
    """The messages of kernels of all instructions that this processor has."""
    name = request.param
    if name == "native":
        return register(MESSAGES)
    if platform.machine() not in {"x86_64", "AMD64"} or INSTRUCTIONS[name][0] > vector_bits():
        pytest.skip("not this processor's instructions")
    built, own = compiled(MESSAGES, "-march=x86-64", *INSTRUCTIONS[name][1:]), replace(MESSAGES, target=f"m_{name}")
    assert vector_bits_of(built) == INSTRUCTIONS[name][0]
    load(built, own)
    return own.target


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("own", [False, True], ids=["filters-of-all", "own-filters"])
@pytest.mark.parametrize(("along", "columns"), [(False, 1), (False, 3), (True, 3)], ids=["scalars", "vectors", "along"])
def test_every_form_of_messages_is_the_plain_sum(messages_by, shape, own, along, columns, generator, monkeypatch):
    b, i, j, k, f = SHAPES[shape]
    shapes = {"c": (b, i, j, k), "w": (b if own else 1, k, f), "x": (b, j, 1 if along else columns, f)}
    shapes |= {"y": (b, i, columns, f)} | ({"u": (b, i, j, 3)} if along else {})
    drawn = {name: generator.normal(size=size) for name, size in shapes.items()}
    monkeypatch.setattr(messages, "TARGET", messages_by)
    for missing, value in drawn.items():
        how = {"missing": missing, "along": along, "own": own}
        given = [one for name, one in drawn.items() if name != missing]
        # Compiled anew, since a program remembers the kernel that it was compiled with.
        found = jax.jit(lambda *some, how=how: messages._form.bind(*some, **how))(*map(jnp.float32, given))

        expected = messages._plainly(*map(jnp.asarray, given), **how)

        assert found.shape == value.shape
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max(), err_msg=missing)


@pytest.mark.parametrize(("product", "states"), [(0.0, False), (0.1, True)], ids=["forces", "products-and-states"])
def test_training_by_the_kernel_is_training_by_xla(batch, product, states, generator):
    topology, x = batch
    references = [
        Reference(
            np.asarray(topology.species)[rows],
            np.asarray(x)[rows],
            float(generator.normal()),
            20.0 * generator.normal(size=(rows.sum(), 3)),
            charge=k % 2,
            products=HessianProducts(*generator.normal(size=(2, 1, rows.sum(), 3))),
        )
        for k in range(len(SIZES))
        for rows in [np.asarray(topology.molecule) == k]
    ]
    model = network(states=states)
    recipe, scales = Recipe(weights=Weights(product=product)), Losses(*jnp.ones(5))
    slope_of = jax.jit(losses_and_slope, static_argnums=3)

    told = []
    for one in (model, fused(model)):
        weights, fixed = eqx.partition(one, _trained(one))
        told.append(slope_of(weights, fixed, batch_in_parts(references, 9, fused=one.fused), recipe, scales))

    for found, expected in zip(*map(jax.tree.leaves, told), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_a_model_in_double_precision_keeps_its_messages():
    with pytest.raises(NativeError, match="single precision"):
        fused(network().with_precision(jnp.float64))
