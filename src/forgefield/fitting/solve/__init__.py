"""Solvers that minimise the cost, and the fit that repeats their steps."""
