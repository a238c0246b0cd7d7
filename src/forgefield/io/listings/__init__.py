"""Listings of energies, interaction by interaction."""
