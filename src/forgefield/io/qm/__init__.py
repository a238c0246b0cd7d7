"""Results of quantum-chemistry programs."""
