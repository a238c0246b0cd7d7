"""Molecular dynamics: settings, the run, and what it amounts to."""
