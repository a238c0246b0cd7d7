"""The seam between force fields and everything that uses them, and the force fields themselves."""
