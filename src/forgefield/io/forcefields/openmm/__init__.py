"""OpenMM's force fields."""
