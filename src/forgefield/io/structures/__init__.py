"""Structures in the formats of chemistry programs."""
