"""`python -m forgefield` is the command line."""

from forgefield.cli import main

main()
