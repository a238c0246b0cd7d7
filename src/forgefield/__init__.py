"""Learns molecular force fields from quantum chemistry and runs them."""
