"""Energies that are written as expressions of OpenMM's language."""
