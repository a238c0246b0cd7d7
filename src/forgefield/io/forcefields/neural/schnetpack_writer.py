"""PaiNN models as tensors of SchNetPack 2, with the settings that its state dict does not hold."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from forgefield.errors import InputError
from forgefield.io.outputs import write_bytes, write_text
from forgefield.models.model import AbstractModel
from forgefield.models.neural.layers import Perceptron
from forgefield.models.neural.painn import NORM_FLOOR, Painn
from forgefield.models.neural.radial import CosineEnvelope, GaussianBasis, SineBasis
from forgefield.molecules.elements import SYMBOLS
from forgefield.units import ELECTRONVOLT

_ROWS = 100
"""Of its embedding and of its atomic energies, by atomic number."""


def files_of(path: Path) -> list[Path]:
    """Return the tensors and the settings."""
    return [path, path.with_suffix(".toml")]


def write_schnetpack(path: Path, model: AbstractModel) -> None:
    """Write tensors (.npz) by SchNetPack's names, in eV and Å, and a TOML file of settings.

    `forgefield convert` reads both. Raises InputError that lists what SchNetPack's PaiNN has not.
    """
    if not isinstance(model, Painn):
        raise InputError(f"{path}: SchNetPack has no such model; only a PaiNN can be written")
    _require_known(path, model)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **tensors_of(model))
    write_bytes(files_of(path)[0], buffer.getvalue())
    write_text(files_of(path)[1], _settings(model))


def tensors_of(model: Painn) -> dict[str, np.ndarray]:
    """Return the tensors of a state dict."""
    basis, weights = model.design.basis, np.asarray(model.embedding)
    embedding = np.zeros((_ROWS, weights.shape[1]), weights.dtype)
    embedding[list(model.design.elements)] = weights
    # The float that the network's last layer is multiplied by turns its unit into eV.
    scale = weights.dtype.type(model.design.unit / ELECTRONVOLT)
    filters = [np.asarray(block.filters) for block in model.blocks]
    atomic = np.zeros(_ROWS)
    atomic[list(model.design.elements)] = np.asarray(model.references) / ELECTRONVOLT
    found = {
        "representation.embedding.weight": embedding,
        "representation.cutoff_fn.cutoff": np.array([basis.cutoff], np.float32),
        "representation.filter_net.weight": np.concatenate([one[:-1].T for one in filters]),
        "representation.filter_net.bias": np.concatenate([one[-1] for one in filters]),
        "postprocessors.0.atomref": atomic,
        "postprocessors.0.mean": np.zeros(1),
        **_basis(basis),
        **_perceptron("output_modules.0.outnet", model.readout, scale),
    }
    for k, block in enumerate(model.blocks):
        found |= _perceptron(f"representation.interactions.{k}.interatomic_context_net", block.context)
        found |= _perceptron(f"representation.mixing.{k}.intraatomic_context_net", block.update)
        found[f"representation.mixing.{k}.mu_channel_mix.weight"] = np.asarray(block.mixing).T
    return {name: np.ascontiguousarray(array) for name, array in found.items()}


def _require_known(path: Path, model: Painn) -> None:
    design = model.design
    wrong = []
    if not isinstance(design.envelope, CosineEnvelope):
        wrong.append("its cut-off falls as a polynomial of the fifth degree, not as CosineCutoff")
    if design.core_cutoff is not None:
        wrong.append("it has the repulsion of atomic cores")
    if model.charge is not None or model.unpaired is not None:
        wrong.append("it takes charges and multiplicities of molecules")
    if not isinstance(design.basis, SineBasis | GaussianBasis):
        wrong.append("its radial basis is neither BesselRBF nor GaussianRBF")
    if max(design.elements) >= _ROWS:
        wrong.append(f"it knows elements beyond {SYMBOLS[_ROWS - 1]}")
    if wrong:
        raise InputError(f"{path}: the model cannot be one of SchNetPack:\n  " + "\n  ".join(wrong))


def _basis(basis) -> Mapping[str, np.ndarray]:
    name = "representation.radial_basis"
    if isinstance(basis, SineBasis):
        return {f"{name}.freqs": (np.arange(1, basis.n + 1) * np.pi / basis.cutoff).astype(np.float32)}
    width = np.full(basis.n, basis.cutoff / (basis.n - 1), np.float32)
    return {f"{name}.offsets": np.linspace(0.0, basis.cutoff, basis.n, dtype=np.float32), f"{name}.widths": width}


def _perceptron(name: str, layers: Perceptron, scale: np.floating | None = None) -> dict[str, np.ndarray]:
    found = {}
    for k, layer in enumerate((layers.first, layers.second)):
        factor = scale if scale is not None and k == 1 else None
        for part, array in (("weight", np.asarray(layer.weight).T), ("bias", np.asarray(layer.bias))):
            found[f"{name}.{k}.{part}"] = array if factor is None else array * factor
    return found


def _settings(model: Painn) -> str:
    elements = ", ".join(f'"{SYMBOLS[z]}"' for z in model.design.elements)
    return (
        "# What the tensors do not say; `forgefield convert` takes it as --settings.\n"
        f"elements = [{elements}]\n"
        'energy_unit = "eV"\nlength_unit = "Å"\ncutoff_fn = "CosineCutoff"\nactivation = "silu"\n'
        f'aggregation_mode = "sum"\nepsilon = {NORM_FLOOR:g}\noffsets = "per atom"\n'
    )
