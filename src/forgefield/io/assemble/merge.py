"""Merges what several files say of one structure into one Reference, in one frame."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, check_number_of_frequencies, check_sizes, molecule
from forgefield.io.assemble.state import assumed_multiplicity, check_electrons
from forgefield.io.assemble.superposition import rotated_hessian, same_structure
from forgefield.molecules.molecule import AtomicCharges, Reference

_AGREEMENT = {
    "energy": (1e-5 * units.HARTREE, "kcal/mol"),
    "gradient": (1e-3 * units.HARTREE_PER_BOHR, "kcal/mol/Å"),
    "hessian": (1e-3 * units.HARTREE_PER_BOHR2, "kcal/mol/Å²"),
    "frequencies": (1.0, "cm⁻¹"),
    "masses": (1e-2, "amu"),
}
"""By how much two files may differ in what both hold, and its unit."""
_CHARGES_AGREE = 1e-3
"""e"""
_STATED = ("charge", "multiplicity", "stationary_order")


def merged(parts: Sequence[Part]) -> Reference:
    """Return the Reference of files that describe one structure.

    The frame is that of the first file with both geometry and Hessian, else of the first with geometry and gradient,
    else of the first with a geometry; gradients and Hessians of other frames are rotated into it. What several files
    hold must agree and is taken from the first of them. Raises InputError where no file holds a geometry; where atoms,
    geometries, levels or values contradict each other; and where an array without geometry meets several frames.
    """
    anchor = _anchor(parts)
    structure = molecule(anchor)
    aligned = [_aligned(part, anchor, parts) for part in parts]
    _check_agreement(aligned)
    first: dict[str, Any] = {name: _first(aligned, name) for name in (*_AGREEMENT, *_STATED)}
    sources = ", ".join(part.source for part in parts)
    graph = next((part for part in parts if part.bonds is not None), None)
    charge, multiplicity = first["charge"] or 0, first["multiplicity"]
    if multiplicity is None:
        multiplicity = assumed_multiplicity(sources, structure.species, first["charge"])
    check_electrons(sources, structure.species, charge, multiplicity)
    return Reference(
        species=structure.species,
        positions=structure.positions,
        energy=first["energy"],
        gradient=first["gradient"],
        hessian=first["hessian"],
        frequencies=first["frequencies"],
        masses=first["masses"],
        level=next((part.level for part in parts if part.level), ""),
        program=next((part.program for part in parts if part.program), ""),
        stationary_order=first["stationary_order"],
        charge=charge,
        multiplicity=multiplicity,
        sources=tuple(part.source for part in parts),
        constraints=next((part.constraints for part in parts if part.constraints), ()),
        charges=_charges(parts),
        bonds=graph and graph.bonds,
        orders=graph and graph.orders,
        formal_charges=_first(parts, "formal_charges"),
    )


def _charges(parts: Sequence[Part]) -> tuple[AtomicCharges, ...]:
    """Return the charges of each kind from the first file that holds them."""
    found: dict[str, AtomicCharges] = {}
    for part in parts:
        for one in part.charges:
            found.setdefault(one.kind, one)
    return tuple(found.values())


def _first(parts: Sequence[Part], name: str) -> Any:
    return next((value for part in parts if (value := getattr(part, name)) is not None), None)


def _anchor(parts: Sequence[Part]) -> Part:
    placed = [part for part in parts if part.positions is not None]
    if not placed:
        files = ", ".join(part.source for part in parts)
        raise InputError(f"{files}: none of these files holds a geometry; add one that does, such as an xyz")
    for name in ("hessian", "gradient"):
        for part in placed:
            if getattr(part, name) is not None:
                return part
    return placed[0]


def _aligned(part: Part, anchor: Part, parts: Sequence[Part]) -> Part:
    """Return a part with its arrays in the frame of the anchor."""
    if part is anchor:
        return part
    if part.positions is None:
        structure = molecule(anchor)
        check_sizes(part, structure.n_atoms)
        check_number_of_frequencies(part, structure.species, structure.positions)
        if part.hessian is not None or part.gradient is not None:
            _check_one_frame(part, anchor, parts)
        return part
    rotation = same_structure(molecule(part), molecule(anchor), (part.source, anchor.source)).rotation
    return replace(
        part,
        positions=anchor.positions,
        gradient=None if part.gradient is None else part.gradient @ rotation,
        hessian=None if part.hessian is None else rotated_hessian(part.hessian, rotation),
    )


def _check_one_frame(part: Part, anchor: Part, parts: Sequence[Part]) -> None:
    placed = [other for other in parts if other.positions is not None]
    turned = [
        other.source
        for other in placed
        if not same_structure(molecule(other), molecule(anchor), (other.source, anchor.source)).is_same_frame
    ]
    if turned:
        raise InputError(
            f"{part.source} holds no geometry, and the files it is merged with are in different orientations "
            f"({anchor.source} against {', '.join(turned)}); give it with one geometry only"
        )


def _check_agreement(parts: Sequence[Part]) -> None:
    wrong = [sentence for name in _AGREEMENT if (sentence := _numbers_apart(parts, name))]
    wrong += _charges_apart(parts)
    for name in (*_STATED, "level"):
        stated = {part.source: str(getattr(part, name)) for part in parts if getattr(part, name) not in (None, "")}
        if len({text.casefold() for text in stated.values()}) > 1:
            wrong.append(f"{name}: " + ", ".join(f"{text} in {source}" for source, text in stated.items()))
    if wrong:
        raise InputError("files that are to be merged contradict each other:\n  " + "\n  ".join(wrong))


def _charges_apart(parts: Sequence[Part]) -> list[str]:
    """Say which files hold different charges of one kind."""
    first: dict[str, tuple[str, AtomicCharges]] = {}
    wrong = []
    for part in parts:
        for one in part.charges:
            source, known = first.setdefault(one.kind, (part.source, one))
            apart = float(np.abs(known.values - one.values).max(initial=0.0))
            if apart > _CHARGES_AGREE:
                wrong.append(f"{one.kind} charges: {source} and {part.source} differ by {apart:.4f} e")
    return wrong


def _numbers_apart(parts: Sequence[Part], name: str) -> str | None:
    tolerance, unit = _AGREEMENT[name]
    holders = [part for part in parts if getattr(part, name) is not None]
    first = [np.asarray(getattr(part, name)) for part in holders[:1]]
    for part in holders[1:]:
        values = np.asarray(getattr(part, name))
        if values.shape != first[0].shape:
            return f"{name}: {first[0].size} numbers in {holders[0].source}, {values.size} in {part.source}"
        if np.abs(values - first[0]).max(initial=0.0) > tolerance:
            apart = f"{np.abs(values - first[0]).max():.6g} {unit} (accepted: {tolerance:.3g})"
            return f"{name}: {holders[0].source} and {part.source} differ by {apart}"
    return None
