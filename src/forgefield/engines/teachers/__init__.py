"""Teachers: whatever labels structures with energies and forces for a student to learn from."""
