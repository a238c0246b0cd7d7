"""Data sets: one HDF5 file of labelled structures, and what other programs keep them in."""
