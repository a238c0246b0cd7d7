"""Molecular dynamics of any model in compiled loops."""
