"""Which rows of two force fields differ: by their names, or by the atoms that they act on."""
