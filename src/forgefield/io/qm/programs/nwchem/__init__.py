"""What NWChem writes: output and its Hessian file."""
