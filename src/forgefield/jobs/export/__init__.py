"""Exports of a force field to programs that run it without knowing it."""
