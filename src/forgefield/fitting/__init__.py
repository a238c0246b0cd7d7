"""Targets, the cost made of them, the solvers that minimise it, and how far the result can be trusted."""
