"""What is fitted to QM results, and how, where nobody says it: from what they hold to the settings of a fit."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from forgefield.assign.environments import environments
from forgefield.assign.nonbonded import has_hydrogen_bond
from forgefield.config import FitFile
from forgefield.errors import InputError
from forgefield.estimating.transition_state import NOISE
from forgefield.io.offenders import listed
from forgefield.io.sources import stem
from forgefield.jobs.fit.plan.scan_frames import perceived, scan_of
from forgefield.jobs.fit.plan.target_choices import TARGETS, schema
from forgefield.molecules.bonds import perceive_bonds, perceive_transition_state_bonds, pieces
from forgefield.molecules.molecule import Molecule, Reference, standard_masses, symbol
from forgefield.properties.modes import frequencies

STRENGTH = 1.0
"""Of the prior."""
_TERMS = "stretch", "bend", "stretch_bend", "torsion", "out_of_plane"
"""What every format of the form holds. Stretch-bends halve what frequencies are off by, and are determined."""
_NARROW, _WIDE = 1.0, 5.0
"""Degrees: widths of reference angles where geometries are relaxed, and where they are not."""
_BARRIER = 3.0
"""kcal/mol: width of torsional constants, that of an amide's."""
_EIGENVALUE = 0.03
"""Hartree/Bohr²/amu, 890 cm⁻¹: of a reaction mode; a larger one starts from bonds that are far too stiff."""
_REACH = 4
"""How far environments reach, in bonds, by which structures are told to be of one molecule."""


@dataclass(frozen=True, eq=False)
class Structure:
    """What is known of one geometry."""

    molecule: Molecule
    reference: Reference
    imaginary: int
    """Number of its imaginary frequencies."""

    @property
    def graph(self) -> tuple[str, ...]:
        """What structures of the same atoms and bonds share."""
        return tuple(sorted(environments(self.molecule, _REACH)))

    @property
    def formula(self) -> str:
        """Number of atoms of each element, such as C2H6."""
        counts = Counter(symbol(z) for z in self.reference.species)
        return "".join(f"{element}{n if n > 1 else ''}" for element, n in sorted(counts.items()))

    @property
    def relaxed(self) -> bool:
        """Whether it is a stationary point, or one but for dihedrals that were held."""
        stated = self.reference.stationary_order is not None
        return stated or self.reference.hessian is not None or bool(self.reference.constraints)

    @property
    def has_forces(self) -> bool:
        """Whether the forces on its atoms are known."""
        reference = self.reference
        stationary = reference.hessian is not None or reference.stationary_order is not None
        return stationary or reference.gradient is not None


@dataclass(frozen=True, eq=False)
class Given:
    """Files of one structure, or of one list of frames, and what they hold."""

    files: tuple[Path, ...]
    structures: tuple[Structure, ...]

    @property
    def is_saddle(self) -> bool:
        """Whether it is a transition state."""
        return any(one.imaginary for one in self.structures)


def given(files: tuple[Path, ...], references: Sequence[Reference]) -> Given:
    """Return what files hold. Raises InputError where that is nothing to fit to."""
    empty = [r for r in references if r.energy is None and r.gradient is None and r.hessian is None]
    if empty:
        raise InputError(
            f"{', '.join(map(str, files))}: a geometry without energy, forces or Hessian, so nothing to fit to; "
            f"`forgefield reference {files[0]} --optimise -o {stem(files[0])}-reference.json` computes them, as does a "
            "frequency job of a QM program"
        )
    molecules = perceived(references)
    return Given(files, tuple(_structure(r, m) for r, m in zip(references, molecules, strict=True)))


def _structure(reference: Reference, molecule: Molecule | None) -> Structure:
    imaginary = np.empty(0)
    if reference.hessian is not None:
        masses = standard_masses(reference.species) if reference.masses is None else reference.masses
        found = frequencies(reference.hessian, reference.positions, masses)
        imaginary = found[found < -NOISE]
    name = ", ".join(reference.sources)
    if len(imaginary) > 1:
        values = listed([f"{value:.0f}" for value in imaginary])
        raise InputError(
            f"{name}: {len(imaginary)} imaginary frequencies ({values} cm⁻¹): neither a minimum nor a transition "
            "state; optimise the structure and compute its Hessian anew"
        )
    if molecule is None:
        perceive = perceive_transition_state_bonds if len(imaginary) else perceive_bonds
        try:
            bonds, orders = perceive(reference.species, reference.positions)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        molecule = Molecule(name, reference.species, reference.positions, bonds, orders, charge=reference.charge)
    return Structure(molecule, reference, len(imaginary))


def settings(data: Sequence[Given], *, starts: int | None = None) -> FitFile:
    """Return the settings with which a force field is fitted to data; `starts` replaces the usual number of starts.

    Raises InputError where the data do not determine one.
    """
    structures = [one for part in data for one in part.structures]
    wanted = list(_targets(data, structures))
    relaxed = any(one.relaxed for one in structures)
    minima = frozenset(one.graph for one in structures if one.relaxed and not one.imaginary)
    content: dict[str, Any] = {
        "forcefield": {"terms": _TERMS} | _through_space(data, structures),
        "molecules": [_table(part, group, minima) for part, group in zip(data, _groups(data), strict=True)],
        "targets": {key: TARGETS[key].usual.model_dump(exclude_defaults=True) for key in wanted},
        "fit": {
            "starts": 1 if starts is None else starts,
            "prior": {"strength": STRENGTH, "theta0": _NARROW if relaxed else _WIDE, "v": _BARRIER},
        },
    }
    if max(one.molecule.n_atoms for one in structures) < 3:
        # What has one vibration has no two that could couple.
        content["targets"].get("eigenmatrix", {}).pop("off_diagonal", None)
    return schema().model_validate(content)


def _targets(data: Sequence[Given], structures: Sequence[Structure]) -> Iterator[str]:
    """Yield the keys of what is fitted to."""
    hessians = any(one.reference.hessian is not None for one in structures)
    geometries = Counter(one.graph for one in structures if one.has_forces)
    compared = _compared(data)
    if not hessians and not compared and max(geometries.values(), default=0) < 2:
        files = ", ".join(str(path) for part in data for path in part.files)
        raise InputError(
            f"{files}: no Hessian, and no two geometries of one molecule whose energies or forces could be compared: "
            "nothing determines a force constant; give a frequency job (Gaussian: freq; `forgefield reference` "
            "computes one), a scan, or several geometries"
        )
    if hessians:
        yield "eigenmatrix"
    if geometries:
        yield "forces"
    if compared:
        yield "energy"


def _compared(data: Sequence[Given]) -> bool:
    """Say whether there are two energies of one molecule, or of one scan."""
    energies = Counter(
        (scan_of(one.reference), one.graph)
        for part in data
        for one in part.structures
        if one.reference.energy is not None
    )
    return max(energies.values(), default=0) > 1


def _through_space(data: Sequence[Given], structures: Sequence[Structure]) -> dict[str, Any]:
    """Return what acts through space, where molecules not bonded to each other, or hydrogen bonds, ask for it."""
    if all(_n_pieces(part) == 1 for part in data) and not any(has_hydrogen_bond(one.molecule) for one in structures):
        return {}
    kinds = [{charges.kind for charges in one.reference.charges} for one in structures]
    shared = set.intersection(*kinds)
    return {"nonbonded": "uff"} | ({"charges": "bonds"} if shared else {})


def _n_pieces(part: Given) -> int:
    return max(len(pieces(one.molecule.n_atoms, one.molecule.bonds)) for one in part.structures)


def _table(part: Given, group: str | None, minima: frozenset[tuple[str, ...]]) -> dict[str, Any]:
    """Return what is said of files under [[molecules]]; `minima` are the graphs of the minima beside them."""
    names = [str(path) for path in part.files]
    table: dict[str, Any] = {"reference": names[0] if len(names) == 1 else names}
    if part.is_saddle and part.structures[0].graph in minima:
        # Between conformers, a saddle of the force field as of quantum chemistry.
        table["transition_state"] = "D"
    elif part.is_saddle:
        # The eigenvalue that the policy puts in is no result of quantum chemistry: it serves the start alone.
        table |= {"transition_state": "C", "eigenvalue": _EIGENVALUE, "reaction_mode_weight": 0.0}
    if (n := _n_pieces(part)) > 1:
        table["pieces"] = n
    return table | ({} if group is None else {"group": group})


def _groups(data: Sequence[Given]) -> list[str | None]:
    """Return within what energies are compared: isomers have no common zero; None where that needs no word."""
    first = [part.structures[0] for part in data]
    if any(
        not scan_of(one.reference) and len({s.graph for s in part.structures}) > 1
        for part, one in zip(data, first, strict=True)
    ):
        # One word would be said of isomers within a file, which are told apart by their bonds where none is.
        return [None] * len(data)
    graphs: dict[str, dict[tuple[str, ...], str]] = {}
    for part, one in zip(data, first, strict=True):
        if not scan_of(one.reference):
            graphs.setdefault(one.formula, {}).setdefault(one.graph, stem(part.files[0]))
    return [
        None if scan_of(one.reference) or len(graphs[one.formula]) == 1 else graphs[one.formula][one.graph]
        for one in first
    ]
