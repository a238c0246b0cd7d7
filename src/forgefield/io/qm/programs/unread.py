"""Programs whose output is recognised but not read, and what to give instead."""

_UNREAD = (
    ("vasp.", "VASP output", "its frames as extended xyz (`ase convert OUTCAR frames.extxyz`)"),
    ("Program PWSCF", "Quantum ESPRESSO output", "its frames as extended xyz (`ase convert job.pwo frames.extxyz`)"),
    ("Cartesian Coordinates are in [bohr]\n Creating new Variables", "the log file of Molpro", "its .out file"),
    ("BAGEL", "BAGEL output", "its .molden file"),
    ("Firefly version", "Firefly output", "its punch file with $HESS, and an .xyz of the geometry"),
    ("  DFTB+ ", "DFTB+ output", "its geometry as .xyz and its Hessian as .npy"),
    ("C R E S T", "CREST output", "its conformers as .xyz, or its g98.out"),
    ("Siesta Version", "SIESTA output", "its frames as extended xyz"),
    ("GAMESS-UK", "GAMESS-UK output", "its geometry as .xyz and its Hessian as .npy"),
)
"""What a text says, whose it is, and what to give."""
_PAGE = 20_000
"""Characters of the start of a text in which a program tells its name."""


def way_round(text: str) -> str:
    """Return whose a text is and what to give instead; nothing where that is not known."""
    page = text[:_PAGE]
    found = next(((name, instead) for mark, name, instead in _UNREAD if mark in page), None)
    return "is {}, which is not read; give {}".format(*found) if found else ""
