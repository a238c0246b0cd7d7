"""Forces of OpenMM between atoms that are listed: the standard ones and those of expressions."""

from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.assign.explicit.system import Stated
from forgefield.errors import InputError
from forgefield.io.forcefields.openmm.system import recognised
from forgefield.io.forcefields.openmm.system.elements import atoms, children, numbers
from forgefield.io.forcefields.openmm.system.expressions import term_of
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cmap import correction_map
from forgefield.terms.cross import BEND_BEND, BEND_BEND_OF_FIVE, BEND_BEND_OF_FOUR, OWNING
from forgefield.terms.expressions.custom import custom_term
from forgefield.terms.expressions.evaluation import NUMPY, value
from forgefield.terms.expressions.language import parsed
from forgefield.terms.periodic import PERIODIC_TORSION, RYCKAERT_BELLEMANS
from forgefield.terms.stretch import HARMONIC_STRETCH

STIFFNESS = units.KILOJOULE / units.NANOMETRE**2


def _particles(n: int) -> tuple[str, ...]:
    return tuple(f"p{k}" for k in range(1, n + 1))


def _harmonic_bonds(force: Element, n_atoms: int) -> list[Stated]:
    bonds = children(force, "Bonds", "Bond")
    return [
        Stated(
            HARMONIC_STRETCH, atoms(bonds, _particles(2), n_atoms), numbers(bonds, "kd") * [STIFFNESS, units.NANOMETRE]
        )
    ]


def _harmonic_angles(force: Element, n_atoms: int) -> list[Stated]:
    angles = children(force, "Angles", "Angle")
    return [
        Stated(HARMONIC_BEND, atoms(angles, _particles(3), n_atoms), numbers(angles, "ka") * [units.KILOJOULE, 1.0])
    ]


def _periodic_torsions(force: Element, n_atoms: int) -> list[Stated]:
    torsions = children(force, "Torsions", "Torsion")
    values = numbers(torsions, ("k", "periodicity", "phase")) * [units.KILOJOULE, 1.0, 1.0]
    return [Stated(PERIODIC_TORSION, atoms(torsions, _particles(4), n_atoms), values)]


def _ryckaert_bellemans(force: Element, n_atoms: int) -> list[Stated]:
    torsions = children(force, "Torsions", "Torsion")
    values = numbers(torsions, [f"c{n}" for n in range(6)]) * units.KILOJOULE
    return [Stated(RYCKAERT_BELLEMANS, atoms(torsions, _particles(4), n_atoms), values)]


def _correction_maps(force: Element, n_atoms: int) -> list[Stated]:
    torsions = children(force, "Torsions", "Torsion")
    maps = children(force, "Maps", "Map")
    first, second = (atoms(torsions, [f"{letter}{k}" for k in range(1, 5)], n_atoms) for letter in "ab")
    which = numbers(torsions, ("map",))[:, 0]
    if (first[:, 1:] != second[:, :3]).any():
        raise InputError("has a map whose two torsions do not share three atoms in a row, which is not translated")
    if not np.isin(which, np.arange(len(maps))).all():
        raise InputError(f"has torsions of maps beyond its {len(maps)}")
    found = []
    for number, element in enumerate(maps):
        mine = which == number
        energies, size = numbers(element.findall("Energy"), "e")[:, 0] * units.KILOJOULE, element.get("size", "")
        if not size.isdigit() or int(size) ** 2 != len(energies) or not len(energies):
            raise InputError(f"has a map of size {size!r} with {len(energies)} energies")
        if mine.any():
            # The first angle runs fastest there.
            grid = energies.reshape(int(size), int(size)).T
            term = correction_map(tuple(map(tuple, grid.tolist())))
            chains = np.concatenate([first, second[:, 3:]], axis=1)[mine]
            found.append(Stated(term, chains, np.ones((len(chains), 1))))
    return found


@dataclass(frozen=True)
class _Custom:
    """How a force of expressions lists its interactions."""

    group: str
    tag: str
    parameters: str
    n_atoms: int | None
    """None: it says so itself."""
    variable: str
    """What the expression calls its coordinate, as a definition."""
    kind: str


_CUSTOM = {
    "CustomBondForce": _Custom("Bonds", "Bond", "PerBondParameters", 2, "r=distance(p1,p2)", "stretch"),
    "CustomAngleForce": _Custom("Angles", "Angle", "PerAngleParameters", 3, "theta=angle(p1,p2,p3)", "bend"),
    "CustomTorsionForce": _Custom(
        "Torsions", "Torsion", "PerTorsionParameters", 4, "theta=dihedral(p1,p2,p3,p4)", "torsion"
    ),
    "CustomCompoundBondForce": _Custom("Bonds", "Bond", "PerBondParameters", None, "", "compound"),
}
_RECOGNISED = {"CustomBondForce": ("r", recognised.bond), "CustomTorsionForce": ("theta", recognised.torsion)}


def parameter_names(force: Element, group: str) -> tuple[str, ...]:
    """Return the names of the parameters of a group, in their order."""
    return tuple(element.get("name", "") for element in children(force, group, "Parameter"))


def constants_of(force: Element) -> tuple[tuple[str, float], ...]:
    """Return the global parameters with their default values."""
    elements = children(force, "GlobalParameters", "Parameter")
    values = numbers(elements, ("default",))[:, 0].tolist()
    return tuple((element.get("name", ""), number) for element, number in zip(elements, values, strict=True))


def _custom(force: Element, n_atoms: int) -> list[Stated]:
    layout = _CUSTOM[force.get("type", "")]
    if children(force, "Functions", "Function"):
        raise InputError("has tabulated functions, which are not translated")
    order = layout.n_atoms or int(numbers([force], ("particles",))[0, 0])
    elements, names = children(force, layout.group, layout.tag), parameter_names(force, layout.parameters)
    # Pairs of angles about one centre may have an end in common.
    is_pair = (ours := term_of(force.get("energy", ""), names)) is BEND_BEND
    chains = atoms(elements, _particles(order), n_atoms, distinct=not is_pair)
    values = numbers(elements, [f"param{k}" for k in range(1, len(names) + 1)])
    expression, constants = force.get("energy", ""), constants_of(force)
    if not len(chains):
        return []
    if is_pair and order == BEND_BEND.order:
        return _pairs_of_angles(chains, values)
    if ours is not None and ours.order == order:
        return [Stated(OWNING.get(ours, ours), chains, values)]
    # Its own definitions may use the coordinate, which stands behind them.
    term = custom_term(f"{expression};{layout.variable}", layout.kind, order, names, constants)
    if (name_of := _RECOGNISED.get(force.get("type", ""))) is not None:
        coordinate, recognise = name_of
        if (found := recognise(_sampled(expression, coordinate, names, values, constants), values)) is not None:
            return [Stated(found[0], chains, found[1])]
    return [Stated(term, chains, values if names else np.zeros((len(chains), 1)))]


def _pairs_of_angles(chains: Int[np.ndarray, "pairs 5"], values: Float[np.ndarray, "pairs 3"]) -> list[Stated]:
    """Return coupled angles about one centre: of four atoms where they share an end. Raises InputError."""
    share = np.array([len({*chain}) < BEND_BEND.order for chain in chains.tolist()])
    four = []
    for centre, *ends in chains[share].tolist():
        both = {*ends[:2]} & {*ends[2:]}
        if len(both) != 1 or len({centre, *ends}) != BEND_BEND_OF_FOUR.order:
            raise InputError(f"couples angles about atom {centre} with the ends {ends} (from 0), which cannot be")
        four.append([centre, *both, *(end for end in ends if end not in both)])
    shared = np.array(four, dtype=np.int64).reshape(-1, BEND_BEND_OF_FOUR.order)
    found = Stated(BEND_BEND_OF_FIVE, chains[~share], values[~share]), Stated(BEND_BEND_OF_FOUR, shared, values[share])
    return [one for one in found if len(one.atoms)]


def _sampled(
    expression: str,
    coordinate: str,
    names: tuple[str, ...],
    values: np.ndarray,
    constants: tuple[tuple[str, float], ...],
) -> recognised.Sampled:
    """Return the energies of all interactions as a function of their coordinate."""
    tree = parsed(expression)

    def energies(at: np.ndarray) -> np.ndarray:
        known = dict(constants) | {name: values[:, [k]] for k, name in enumerate(names)} | {coordinate: at}
        with np.errstate(all="ignore"):
            return np.broadcast_to(value(tree, known, NUMPY), at.shape)

    return energies


BONDED: dict[str, Callable[[Element, int], list[Stated]]] = {
    "HarmonicBondForce": _harmonic_bonds,
    "HarmonicAngleForce": _harmonic_angles,
    "PeriodicTorsionForce": _periodic_torsions,
    "RBTorsionForce": _ryckaert_bellemans,
    "CMAPTorsionForce": _correction_maps,
    **dict.fromkeys(_CUSTOM, _custom),
}
"""How the interactions of each force are read, in internal units."""


def chained(chains: Int[np.ndarray, "interactions order"], bonds: Int[np.ndarray, "bonds 2"]) -> np.ndarray:
    """Say of which interactions each atom is bonded to the next."""
    known = set(map(tuple, np.sort(bonds, axis=1).tolist()))
    steps = np.sort(np.stack([chains[:, :-1], chains[:, 1:]], axis=2), axis=2)
    return np.array([all(tuple(step) in known for step in of_one) for of_one in steps.tolist()], dtype=bool)
