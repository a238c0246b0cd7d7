"""What Psi4 writes: output and its Hessian file."""
