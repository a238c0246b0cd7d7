"""GROMACS topologies."""
