"""`python -m forgefield` is the command line."""

from forgefield.cli.program import main

main()
