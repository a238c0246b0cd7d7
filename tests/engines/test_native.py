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
from forgefield.engines.ase import ForgeFieldCalculator
from forgefield.engines.native import painn as native_painn
from forgefield.engines.native.choice import fastest
from forgefield.engines.native.library import PAINN, NativeError, compiled, load, vector_bits_of
from forgefield.engines.native.painn import native
from forgefield.engines.native.processor import vector_bits
from forgefield.errors import InputError
from forgefield.models.painn import Design, Size, painn
from forgefield.models.radial import AbstractEnvelope, CosineEnvelope, GaussianBasis, QuinticEnvelope, SineBasis
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
