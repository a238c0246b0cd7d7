"""PaiNN models trained with SchNetPack 2, from the tensors of their state dict.

Export them where PyTorch is, for a model that was saved whole:

    import numpy, torch
    model = torch.load("best_model", map_location="cpu", weights_only=False)
    numpy.savez("painn.npz", **{k: v.numpy() for k, v in model.state_dict().items()})

A safetensors file of the same names is read as well. What the tensors do not hold stands in the training's
configuration, or in `print(model)`, and is stated as `Settings`.
"""

import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from forgefield.errors import InputError
from forgefield.io.forcefields.neural.painn_file import UNITS, shape_problems
from forgefield.io.offenders import listed
from forgefield.io.text import LARGEST
from forgefield.models.neural.layers import Affine, Perceptron
from forgefield.models.neural.painn import NORM_FLOOR, Block, Design, Painn
from forgefield.models.neural.radial import CosineEnvelope, GaussianBasis, SineBasis
from forgefield.molecules.elements import atomic_number
from forgefield.units import BOHR

Tensors = Mapping[str, np.ndarray]

_BASIS = "representation.radial_basis"
_MOST_PACKED, _ALWAYS_UNPACKED = 20, 2**24
"""How many times its own size, and how many bytes at least, an archive may unpack to."""
_CUTOFF = "representation.cutoff_fn"
_LENGTHS = {"Å": 1.0, "Angstrom": 1.0, "Ang": 1.0, "Bohr": BOHR}
"""Å"""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a state dict does not say of its model, by SchNetPack's names; nothing is taken for granted."""

    energy_unit: str
    """Of the network's output: eV, Hartree, kcal/mol or kJ/mol."""
    length_unit: str
    """Of the positions that it was trained on: Å or Bohr."""
    cutoff_fn: str
    """Must be CosineCutoff."""
    activation: str
    """Of PaiNN and of Atomwise; must be silu."""
    aggregation_mode: str
    """Of Atomwise; must be sum."""
    epsilon: float
    """Of PaiNN; must be 1e-8."""
    offsets: str
    """What AddOffsets does with its mean and atomref: "per atom" adds them for each atom, "none" leaves them out."""


def import_painn(path: Path, settings: Settings, *, elements: Sequence[str]) -> Painn:
    """Return the model of an exported state dict, whose output is an energy.

    `elements` are those it was trained on: rows of others in its embedding are random. Raises InputError where the
    settings are of another model than can be kept, and lists tensors which are missing, unknown or of the wrong shape.
    """
    _check_settings(settings, path)
    tensors = _read(path)
    try:
        features = int(tensors["representation.embedding.weight"].shape[1])
        cutoff = float(np.ravel(tensors[f"{_CUTOFF}.cutoff"])[0])
    except (KeyError, IndexError) as error:
        raise InputError(f"{path}: not a PaiNN of SchNetPack: {error} is missing") from error
    _check_cutoff(tensors, cutoff, path)
    basis = _basis(tensors, cutoff, path)
    n_blocks = sum(name.endswith(".mu_channel_mix.weight") for name in tensors)
    _check(tensors, features, n_blocks, basis.n, path)
    numbers = _elements(elements, tensors["representation.embedding.weight"].shape[0], path)
    unit, length = UNITS[settings.energy_unit], _LENGTHS[settings.length_unit]
    # Functions of the sine basis are lengths to the power of -1.
    scale = length if isinstance(basis, SineBasis) else 1.0
    return Painn(
        design=Design(numbers, replace(basis, cutoff=cutoff * length), CosineEnvelope(), unit),
        embedding=jnp.asarray(tensors["representation.embedding.weight"][list(numbers)]),
        charge=None,
        unpaired=None,
        blocks=tuple(_block(tensors, k, n_blocks, scale) for k in range(n_blocks)),
        readout=_perceptron(tensors, "output_modules.0.outnet"),
        references=_offsets(tensors, numbers, settings.offsets, path) * unit,
    )


def _check_settings(settings: Settings, path: Path) -> None:
    """Raise InputError that lists the settings with which a model would have another energy than ours."""
    choices = {
        "energy_unit": tuple(UNITS),
        "length_unit": tuple(_LENGTHS),
        "cutoff_fn": ("CosineCutoff",),
        "activation": ("silu",),
        "aggregation_mode": ("sum",),
        "offsets": ("per atom", "none"),
    }
    wrong = [
        f"{name} = {getattr(settings, name)!r}: can be {', '.join(known)}"
        for name, known in choices.items()
        if getattr(settings, name) not in known
    ]
    if not math.isclose(settings.epsilon, NORM_FLOOR, rel_tol=1e-6):
        wrong.append(f"epsilon = {settings.epsilon!r}: can be {NORM_FLOOR:g}")
    if wrong:
        raise InputError(f"{path}: a model with these settings cannot be imported:\n  " + "\n  ".join(wrong))


def _check_cutoff(tensors: Tensors, cutoff: float, path: Path) -> None:
    """Raise InputError where the cut-off function is seen to be another than CosineCutoff."""
    more = sorted(name for name in tensors if name.startswith(f"{_CUTOFF}.") and name != f"{_CUTOFF}.cutoff")
    if more:
        kind = "MollifierCutoff" if more == [f"{_CUTOFF}.eps"] else "another"
        raise InputError(
            f"{path}: the cut-off function has {', '.join(more)}: it is {kind}, not CosineCutoff; train the model "
            "again with that one"
        )
    if not (np.isfinite(cutoff) and cutoff > 0.0 and tensors[f"{_CUTOFF}.cutoff"].size == 1):
        raise InputError(f"{path}: the cut-off is {tensors[f'{_CUTOFF}.cutoff']}; it must be one positive number")


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        tensors = load_file(path) if path.suffix != ".npz" else _unpacked(path)
        wrong = [name for name, values in tensors.items() if not (np.abs(values) < LARGEST).all()]
    except (OSError, EOFError, TypeError, ValueError, SafetensorError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: the tensors cannot be read ({error}); give a .npz or .safetensors file") from error
    if wrong:
        raise InputError(f"{path}: {listed(wrong)}: numbers that are not finite, or of no sane size")
    return tensors


def _unpacked(path: Path) -> dict[str, np.ndarray]:
    _check_size(path)
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _check_size(path: Path) -> None:
    """Raise InputError for an archive that unpacks to far more than weights do, which hardly shrink when packed."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > max(_MOST_PACKED * path.stat().st_size, _ALWAYS_UNPACKED):
        raise InputError(f"{path}: unpacks to {size / 2**20:.0f} MiB, as no file of weights does")


def _basis(tensors: Tensors, cutoff: float, path: Path) -> SineBasis | GaussianBasis:
    """Return the radial basis. Raises InputError where its centres, widths or frequencies are not the usual ones."""
    if {f"{_BASIS}.freqs", f"{_BASIS}.offsets"} <= tensors.keys():
        raise InputError(f"{path}: there are two radial bases among the tensors")
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
    own = {f"{_CUTOFF}.cutoff", *(f"{_BASIS}.{name}" for name in ("freqs", "offsets", "widths"))}
    expected["representation.embedding.weight"] = tensors["representation.embedding.weight"].shape
    others = {name: a for name, a in tensors.items() if name not in own and not name.startswith("postprocessors.")}
    wrong = shape_problems(expected, others)
    if wrong or n_blocks == 0:
        raise InputError(f"{path}: the tensors are not those of a PaiNN of SchNetPack:\n  " + "\n  ".join(wrong))


def _shapes(name: str, inputs: int, hidden: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}.0.weight": (hidden, inputs),
        f"{name}.0.bias": (hidden,),
        f"{name}.1.weight": (outputs, hidden),
        f"{name}.1.bias": (outputs,),
    }


def _elements(symbols: Sequence[str], rows: int, path: Path) -> tuple[int, ...]:
    numbers = tuple(sorted({atomic_number(s) for s in symbols}))
    # Row 0 is padding.
    if not numbers or numbers[-1] >= rows:
        raise InputError(f"{path}: the embedding has rows for the atomic numbers 1 to {rows - 1}")
    return numbers


def _block(tensors: Tensors, k: int, n_blocks: int, scale: float) -> Block:
    weight, bias = tensors["representation.filter_net.weight"], tensors["representation.filter_net.bias"]
    width = 3 * tensors["representation.embedding.weight"].shape[1]
    # Filters that all blocks share are stored once.
    start = k * width if len(bias) == width * n_blocks else 0
    filters = np.concatenate(
        [weight[start : start + width].T * weight.dtype.type(scale), bias[None, start : start + width]]
    )
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


def _offsets(tensors: Tensors, numbers: tuple[int, ...], said: str, path: Path) -> np.ndarray:
    """Return the energy that AddOffsets adds for each atom, in the unit of the network."""
    total = np.zeros(len(numbers))
    acting = set()
    for name, value in tensors.items():
        if not name.startswith("postprocessors."):
            continue
        if name.endswith(".mean") and value.size == 1:
            added = np.full(len(numbers), float(value.ravel()[0]))
        elif name.endswith(".atomref") and value.ndim == 1 and len(value) > max(numbers):
            added = value.astype(np.float64)[list(numbers)]
        else:
            raise InputError(f"{path}: the postprocessor {name} {value.shape} is not one of AddOffsets")
        if not np.isfinite(added).all():
            raise InputError(f"{path}: {name} holds numbers that are not finite")
        if added.any():
            acting.add(name.rsplit(".", 1)[0])
        total += added
    if len(acting) > 1:
        raise InputError(f"{path}: {', '.join(sorted(acting))} all have offsets; which are those of the energy?")
    return total if said == "per atom" else np.zeros(len(numbers))
