"""CHARMM files."""
