"""Converts the weights of a PaiNN that SchNetPack trained into a neural force field of ours."""

import tomllib
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from forgefield.errors import InputError
from forgefield.io.forcefields.neural.painn_file import write_painn
from forgefield.io.forcefields.neural.schnetpack import Settings, import_painn
from forgefield.io.outputs import new_outputs
from forgefield.io.text import read_text
from forgefield.models.neural.painn import Painn

_READ, _WRITTEN = (".npz", ".safetensors"), ".safetensors"
_NUMBERS = ("epsilon",)


def are_weights(source: Path, target: Path) -> bool:
    """Return whether what is to be converted are weights, by the suffixes of both files."""
    return source.suffix in _READ and target.suffix == _WRITTEN


def convert_weights(source: Path, target: Path, settings: Path | None, *, overwrite: bool = False) -> Painn:
    """Convert the tensors of a state dict (.npz, .safetensors) and return the model.

    `settings` is a TOML file with what the tensors do not say. Raises InputError where it does not say all of it, where
    the model cannot be kept, and where `target` is an input, or there already and not to `overwrite`.
    """
    if settings is None:
        raise InputError(
            f"{source}: weights of SchNetPack do not say their units and functions; state {', '.join(_kinds())} in a "
            "TOML file and give it as --settings"
        )
    stated = _read(settings)
    elements = stated.pop("elements")
    known = Settings(**stated)
    model = import_painn(source, known, elements=elements)
    origin = {"program": "SchNetPack", "file": source.name, **asdict(known)}
    with new_outputs([target], [source, settings], overwrite=overwrite):
        write_painn(target, model, energy_unit=known.energy_unit, origin=origin)
    return model


def _kinds() -> dict[str, tuple[str, Callable[[Any], bool]]]:
    """Return what each key of the file holds: in words, and whether a value does."""
    kinds = {
        f.name: ("a number", _is_number) if f.name in _NUMBERS else ("a string", _is_word) for f in fields(Settings)
    }
    return {"elements": ("a list of symbols", _are_words), **kinds}


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_word(value: Any) -> bool:
    return isinstance(value, str)


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _read(path: Path) -> dict[str, Any]:
    """Return the settings of a file. Raises InputError that lists all that is missing, unknown or of another kind."""
    try:
        content = tomllib.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    kinds = _kinds()
    wrong = [f"{name!r} is missing" for name in kinds if name not in content]
    wrong += [f"unknown key {name!r}" for name in content if name not in kinds]
    wrong += [
        f"{name} = {content[name]!r} is not {what}"
        for name, (what, is_such) in kinds.items()
        if name in content and not is_such(content[name])
    ]
    if wrong:
        raise InputError(f"{path}: " + f"\n{path}: ".join(wrong))
    return content
