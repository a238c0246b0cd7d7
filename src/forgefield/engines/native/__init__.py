"""Kernels in C++ that are compiled for the machine when they are first used, and what is used without a compiler."""
