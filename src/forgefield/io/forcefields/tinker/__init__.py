"""Tinker files."""
