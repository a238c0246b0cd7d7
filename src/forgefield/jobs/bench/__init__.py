"""The comparison of solvers and engines on one problem."""
