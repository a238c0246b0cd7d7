"""PaiNN models trained with SchNetPack 2, from the tensors of their state dict.

Export them where PyTorch is, for a model that was saved whole:

    import numpy, torch
    model = torch.load("best_model", map_location="cpu", weights_only=False)
    numpy.savez("painn.npz", **{k: v.numpy() for k, v in model.state_dict().items()})

A safetensors file of the same names is read as well.
"""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from forgefield.errors import InputError
from forgefield.io.forcefields.neural.painn_file import ENVELOPES, UNITS, shape_problems
from forgefield.models.layers import Affine, Perceptron
from forgefield.models.painn import Block, Design, Painn
from forgefield.models.radial import AbstractBasis, GaussianBasis, SineBasis
from forgefield.molecules.elements import atomic_number

Tensors = Mapping[str, np.ndarray]

_BASIS = "representation.radial_basis"


def import_painn(
    path: Path, *, energy_unit: str = "eV", elements: Sequence[str] | None = None, envelope: str = "cosine"
) -> Painn:
    """Return the model of an exported state dict.

    `energy_unit` is that of the network's output, `elements` are those it was trained on (all rows of its embedding
    otherwise), `envelope` is its cut-off function; none of these is in the tensors. Raises InputError that lists the
    tensors which are missing, unknown or of the wrong shape.
    """
    if energy_unit not in UNITS or envelope not in ENVELOPES:
        raise InputError(f"{path}: units are {', '.join(UNITS)}; envelopes are {', '.join(ENVELOPES)}")
    tensors = _read(path)
    try:
        features = int(tensors["representation.embedding.weight"].shape[1])
        cutoff = float(np.ravel(tensors["representation.cutoff_fn.cutoff"])[0])
    except (KeyError, IndexError) as error:
        raise InputError(f"{path}: not a PaiNN of SchNetPack: {error} is missing") from error
    basis = _basis(tensors, cutoff, path)
    n_blocks = sum(name.endswith(".mu_channel_mix.weight") for name in tensors)
    _check(tensors, features, n_blocks, basis.n, path)
    numbers = _elements(elements, tensors["representation.embedding.weight"].shape[0], path)
    unit = UNITS[energy_unit]
    return Painn(
        design=Design(numbers, basis, ENVELOPES[envelope](), unit),
        embedding=jnp.asarray(tensors["representation.embedding.weight"][list(numbers)]),
        charge=None,
        unpaired=None,
        blocks=tuple(_block(tensors, k, n_blocks) for k in range(n_blocks)),
        readout=_perceptron(tensors, "output_modules.0.outnet"),
        references=_offsets(tensors, numbers, path) * unit,
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return dict(file)
        return load_file(path)
    except (OSError, ValueError, SafetensorError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: the tensors cannot be read ({error}); give a .npz or .safetensors file") from error


def _basis(tensors: Tensors, cutoff: float, path: Path) -> AbstractBasis:
    """Return the radial basis. Raises InputError where its centres, widths or frequencies are not the usual ones."""
    if f"{_BASIS}.freqs" in tensors:
        found = tensors[f"{_BASIS}.freqs"]
        basis, usual = SineBasis(len(found), cutoff), np.arange(1, len(found) + 1) * np.pi / cutoff
        ordinary = np.allclose(found, usual, rtol=1e-5)
    elif f"{_BASIS}.offsets" in tensors and f"{_BASIS}.widths" in tensors:
        found = tensors[f"{_BASIS}.offsets"]
        basis, usual = GaussianBasis(len(found), cutoff), np.linspace(0.0, cutoff, len(found))
        widths = np.allclose(tensors[f"{_BASIS}.widths"], cutoff / (len(found) - 1), rtol=1e-5)
        ordinary = widths and np.allclose(found, usual, atol=1e-5)
    else:
        raise InputError(f"{path}: no radial basis of SchNetPack (GaussianRBF or BesselRBF) is among the tensors")
    if not ordinary:
        raise InputError(
            f"{path}: the radial basis is not one of {len(found)} functions up to {cutoff:g} Å as SchNetPack starts "
            "it; trained or shifted bases are not supported"
        )
    return basis


def _check(tensors: Tensors, features: int, n_blocks: int, n_radial: int, path: Path) -> None:
    """Raise InputError that lists all tensors which do not belong to such a PaiNN with a scalar energy."""
    n = features
    filters = tensors.get("representation.filter_net.weight", np.zeros((0, 0))).shape[0]
    rows = filters if filters == 3 * n else 3 * n * n_blocks
    expected = {
        "representation.filter_net.weight": (rows, n_radial),
        "representation.filter_net.bias": (rows,),
        **_shapes("output_modules.0.outnet", n, n // 2, 1),
    }
    for k in range(n_blocks):
        expected |= _shapes(f"representation.interactions.{k}.interatomic_context_net", n, n, 3 * n)
        expected |= _shapes(f"representation.mixing.{k}.intraatomic_context_net", 2 * n, n, 3 * n)
        expected[f"representation.mixing.{k}.mu_channel_mix.weight"] = (2 * n, n)
    known = ("representation.embedding.", "representation.cutoff_fn.", f"{_BASIS}.", "postprocessors.")
    wrong = shape_problems(expected, {name: a for name, a in tensors.items() if not name.startswith(known)})
    if wrong or n_blocks == 0:
        raise InputError(f"{path}: the tensors are not those of a PaiNN of SchNetPack:\n  " + "\n  ".join(wrong))


def _shapes(name: str, inputs: int, hidden: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}.0.weight": (hidden, inputs),
        f"{name}.0.bias": (hidden,),
        f"{name}.1.weight": (outputs, hidden),
        f"{name}.1.bias": (outputs,),
    }


def _elements(symbols: Sequence[str] | None, rows: int, path: Path) -> tuple[int, ...]:
    # Row 0 is padding.
    if symbols is None:
        return tuple(range(1, rows))
    numbers = tuple(sorted({atomic_number(s) for s in symbols}))
    if not numbers or numbers[-1] >= rows:
        raise InputError(f"{path}: the embedding has rows for the atomic numbers 1 to {rows - 1}")
    return numbers


def _block(tensors: Tensors, k: int, n_blocks: int) -> Block:
    weight, bias = tensors["representation.filter_net.weight"], tensors["representation.filter_net.bias"]
    width = 3 * tensors["representation.embedding.weight"].shape[1]
    # Filters that all blocks share are stored once.
    start = k * width if len(bias) == width * n_blocks else 0
    filters = np.concatenate([weight[start : start + width].T, bias[None, start : start + width]])
    return Block(
        context=_perceptron(tensors, f"representation.interactions.{k}.interatomic_context_net"),
        filters=jnp.asarray(filters),
        mixing=jnp.asarray(tensors[f"representation.mixing.{k}.mu_channel_mix.weight"].T),
        update=_perceptron(tensors, f"representation.mixing.{k}.intraatomic_context_net"),
    )


def _perceptron(tensors: Tensors, name: str) -> Perceptron:
    first, second = (
        Affine(jnp.asarray(tensors[f"{name}.{k}.weight"].T), jnp.asarray(tensors[f"{name}.{k}.bias"])) for k in (0, 1)
    )
    return Perceptron(first, second)


def _offsets(tensors: Tensors, numbers: tuple[int, ...], path: Path) -> np.ndarray:
    """Return the energy that AddOffsets adds for each atom, in the unit of the network."""
    total = np.zeros(len(numbers))
    for name, value in tensors.items():
        if not name.startswith("postprocessors."):
            continue
        if name.endswith(".mean") and value.size == 1:
            total += float(value.ravel()[0])
        elif name.endswith(".atomref") and value.ndim == 1 and len(value) > max(numbers):
            total += value.astype(np.float64)[list(numbers)]
        else:
            raise InputError(f"{path}: the postprocessor {name} {value.shape} is not one of AddOffsets")
    return total
