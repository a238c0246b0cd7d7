"""Files of PaiNN models: weights and a JSON description in one safetensors file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from forgefield.assign.rules import AbstractRowRules, ModelRules, SummedRules
from forgefield.errors import InputError
from forgefield.io.forcefields.native import native_text, rules_of_text
from forgefield.io.outputs import write_bytes
from forgefield.io.text import LARGEST
from forgefield.models.neural.painn import Design, Painn, Size, painn
from forgefield.models.neural.radial import (
    AbstractBasis,
    AbstractEnvelope,
    CosineEnvelope,
    GaussianBasis,
    QuinticEnvelope,
    SineBasis,
)
from forgefield.molecules.elements import SYMBOLS, atomic_number
from forgefield.units import ELECTRONVOLT, HARTREE, KILOJOULE

FORMAT = "forgefield-painn-1"

BASES: dict[str, type[SineBasis] | type[GaussianBasis]] = {"sine": SineBasis, "gaussian": GaussianBasis}
ENVELOPES: dict[str, type[QuinticEnvelope] | type[CosineEnvelope]] = {
    "quintic": QuinticEnvelope,
    "cosine": CosineEnvelope,
}
UNITS = {"eV": ELECTRONVOLT, "Hartree": HARTREE, "kcal/mol": 1.0, "kJ/mol": KILOJOULE}
"""kcal/mol"""


class Description(BaseModel):
    """What the file says of a model beside its weights. An unknown key is an error."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["forgefield-painn-1"] = FORMAT
    elements: list[str]
    features: int = Field(gt=0, le=2**16)
    blocks: int = Field(gt=0, le=2**10)
    radial_basis: Literal["sine", "gaussian"]
    radial_functions: int = Field(gt=1, le=2**16)
    cutoff_angstrom: float = Field(gt=0, le=1e3)
    envelope: Literal["quintic", "cosine"]
    energy_unit: Literal["eV", "Hartree", "kcal/mol", "kJ/mol"]
    """Unit of the reference energies and, times `output_scale`, of the network's output."""
    output_scale: float = Field(default=1.0, allow_inf_nan=False)
    core_repulsion_cutoff_angstrom: float | None = Field(default=None, gt=0, le=1e3)
    states: bool = False
    """Whether charge and unpaired electrons are embedded."""
    origin: dict[str, Any] = {}
    """How the model was made: data, level of theory, training."""
    baseline: str | None = None
    """The classical force field that the model corrects, as the text of a native file."""


def write_painn(
    path: Path,
    model: Painn,
    *,
    energy_unit: str = "eV",
    origin: dict[str, Any] | None = None,
    baseline: AbstractRowRules | None = None,
) -> None:
    """Write a model, with the classical force field that it corrects, if any.

    A kill leaves the old file or the new one. `origin` is what JSON can hold of its making.
    """
    unit = UNITS[energy_unit]
    design = model.design
    description = Description(
        elements=[SYMBOLS[z] for z in design.elements],
        features=model.embedding.shape[1],
        blocks=len(model.blocks),
        radial_basis=_name(BASES, design.basis),
        radial_functions=design.basis.n,
        cutoff_angstrom=design.basis.cutoff,
        envelope=_name(ENVELOPES, design.envelope),
        energy_unit=energy_unit,  # pyright: ignore[reportArgumentType]  (pydantic checks it)
        output_scale=design.unit / unit,
        core_repulsion_cutoff_angstrom=design.core_cutoff,
        states=model.charge is not None,
        origin=origin or {},
        baseline=None if baseline is None else native_text(path, baseline),
    )
    tensors = {name: np.ascontiguousarray(array) for name, array in named_arrays(model)}
    tensors["references"] = np.asarray(model.references, np.float64) / unit
    write_bytes(path, save(tensors, metadata={"forgefield": description.model_dump_json()}))


def read_painn(path: Path) -> Painn:
    """Return the model of a file, with the precision of its weights. Raises InputError where it cannot be one."""
    description = read_description(path)
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (the file is no dict)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: the weights cannot be read ({error})") from error
    model = _skeleton(description, path)
    expected = dict(named_arrays(model))
    wrong = shape_problems({name: array.shape for name, array in expected.items()}, tensors)
    if wrong:
        raise InputError(f"{path}: the weights do not fit their description:\n  " + "\n  ".join(wrong))
    tensors["references"] = tensors["references"].astype(np.float64) * UNITS[description.energy_unit]
    return with_arrays(model, tensors)


def read_painn_rules(path: Path) -> ModelRules | SummedRules:
    """Return the model of a file as a force field for any molecules of its elements. Raises InputError."""
    model, baseline = ModelRules(read_painn(path)), read_baseline(path)
    return model if baseline is None else SummedRules(baseline, model)


def read_baseline(path: Path) -> AbstractRowRules | None:
    """Return the classical force field that the model of a file corrects; None where it stands alone."""
    text = read_description(path).baseline
    return None if text is None else rules_of_text(path, text)


def read_description(path: Path) -> Description:
    """Return what a file says of its model. Raises InputError."""
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {})["forgefield"]
        return Description.model_validate(json.loads(text))
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InputError(f"{path}: the description of the model is wrong: {problems}") from error
    except (SafetensorError, OSError, KeyError, json.JSONDecodeError) as error:
        raise InputError(
            f"{path}: not a neural model of ForgeField ({type(error).__name__}: {error}); "
            "weights of SchNetPack are imported with `import_painn` and its `Settings`, which are in "
            "forgefield.io.forcefields.neural.schnetpack"
        ) from error


def named_arrays(model: Painn) -> Iterator[tuple[str, Any]]:
    """Yield each array of a model with its name, for example blocks.0.context.first.weight."""
    for keys, leaf in jax.tree_util.tree_leaves_with_path(model):
        yield ".".join(str(getattr(k, "name", getattr(k, "idx", ""))) for k in keys), leaf


def with_arrays(model: Painn, tensors: dict[str, np.ndarray]) -> Painn:
    """Return the model with other arrays, by name."""
    # NumPy weights would be sent to the device at every call; reference energies stay double where JAX is single.
    arrays = [tensors[name] if name == "references" else jnp.asarray(tensors[name]) for name, _ in named_arrays(model)]
    return jax.tree.unflatten(jax.tree.structure(model), arrays)


def shape_problems(expected: dict[str, tuple[int, ...]], found: dict[str, np.ndarray]) -> list[str]:
    """Return a line for each tensor that is missing, not known, of another shape or not finite."""
    lines = [f"{name}: missing" for name in expected if name not in found]
    lines += [f"{name}: not part of such a model" for name in found if name not in expected]
    both = [name for name in expected if name in found]
    lines += [
        f"{name}: shape {found[name].shape}, expected {expected[name]}"
        for name in both
        if tuple(found[name].shape) != tuple(expected[name])
    ]
    sane = [bool((np.abs(found[name]) < LARGEST).all()) for name in both]
    return lines + [
        f"{name}: holds numbers that are not finite, or of no sane size"
        for name, good in zip(both, sane, strict=True)
        if not good
    ]


def _skeleton(description: Description, path: Path) -> Painn:
    """Return a model of the described shapes; its values are of no account."""
    try:
        elements = tuple(atomic_number(symbol) for symbol in description.elements)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    basis = BASES[description.radial_basis](description.radial_functions, description.cutoff_angstrom)
    design = Design(
        elements=elements,
        basis=basis,
        envelope=ENVELOPES[description.envelope](),
        unit=description.output_scale * UNITS[description.energy_unit],
        core_cutoff=description.core_repulsion_cutoff_angstrom,
    )
    size = Size(description.features, description.blocks, description.radial_functions)
    return eqx.filter_eval_shape(lambda: painn(jr.key(0), design, size, states=description.states))


def _name(names: dict[str, Any], value: AbstractBasis | AbstractEnvelope) -> Any:
    return next(name for name, kind in names.items() if type(value) is kind)
