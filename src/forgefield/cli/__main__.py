"""`python -m forgefield.cli` is the command line."""

from forgefield.cli.program import main

main()
