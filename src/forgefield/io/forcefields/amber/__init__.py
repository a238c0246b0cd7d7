"""AMBER's force fields."""
