"""PaiNN, with its layers, radial functions and messages."""
