"""Takes the one structure of a file that must hold no more."""

from forgefield.errors import InputError
from forgefield.molecules.molecule import Molecule


def single(molecules: list[Molecule]) -> Molecule:
    """Return the only structure; raises InputError where there are several or none."""
    if len(molecules) == 1:
        return molecules[0]
    if not molecules:
        raise InputError("there is no structure where one is expected")
    names = ", ".join(repr(molecule.name) for molecule in molecules)
    message = f"holds {len(molecules)} structures ({names}) where one is expected; split the file"
    raise InputError(f"{molecules[0].source}: {message}")
