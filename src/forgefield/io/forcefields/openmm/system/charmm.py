"""CHARMM's structures (.psf) with their parameters (.prm, .rtf, .str), which OpenMM's own reader makes a System of."""

from collections.abc import Sequence
from pathlib import Path

from forgefield.assign.explicit.rules import SystemRules
from forgefield.errors import InputError
from forgefield.io.forcefields.openmm.system.reader import Named, rules_of_xml

STRUCTURE = ".psf"


def read_charmm(structure: Path, parameters: Sequence[Path]) -> SystemRules:
    """Return the force field of a system: Urey-Bradley, impropers, 1-4 parameters of their own and CMAP among it.

    Raises InputError as OpenMM does, without OpenMM, and without parameters.
    """
    try:
        import openmm  # noqa: PLC0415 (an extra, and slow to load)
        from openmm import app  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            f"{structure}: OpenMM reads CHARMM's files, and is not installed ({error}); run: pip install "
            "'forgefield[openmm]'"
        ) from error
    if not parameters:
        raise InputError(f"{structure}: holds no parameters; join the files that do, as in {structure}+par.prm+top.rtf")
    if missing := [str(path) for path in (structure, *parameters) if not path.is_file()]:
        raise InputError(f"{', '.join(missing)}: there is no such file")
    source = "+".join(map(str, (structure, *parameters)))
    try:
        psf = app.CharmmPsfFile(str(structure))
        system = psf.createSystem(app.CharmmParameterSet(*map(str, parameters)), nonbondedMethod=app.NoCutoff)
        text = openmm.XmlSerializer.serialize(system)
    except Exception as error:  # OpenMM raises bare exceptions.
        raise InputError(f"{source}: OpenMM cannot read it: {error}") from error
    atoms = list(psf.topology.atoms())
    if nameless := [atom.name for atom in atoms if atom.element is None]:
        raise InputError(f"{structure}: atoms {', '.join(nameless[:5])} are of no element that is known by mass")
    named = Named(
        species=tuple(atom.element.atomic_number for atom in atoms),
        types=tuple(str(atom.attype) for atom in psf.atom_list),
        names=tuple(atom.name for atom in atoms),
        residues=tuple(f"{atom.residue.name}{atom.residue.id}" for atom in atoms),
        bonds=tuple((bond[0].index, bond[1].index) for bond in psf.topology.bonds()),
    )
    return rules_of_xml(text, source, named)
