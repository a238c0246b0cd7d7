"""What ORCA writes: output, .hess, .engrad and property files."""
