"""Quantum-chemistry programs, and the calculations made with them."""
