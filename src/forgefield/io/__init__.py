"""One file per format: QM output, structures and force-field files."""
