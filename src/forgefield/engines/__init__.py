"""Energies from other programs: quantum chemistry for references, other engines for checks."""
