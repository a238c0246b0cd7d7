"""The command line: the only place where choices have names. What a command needs is imported when it runs."""

from forgefield.cli.program import app, main

__all__ = ["app", "main"]
