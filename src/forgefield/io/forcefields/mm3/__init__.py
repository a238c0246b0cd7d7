"""MM3* files, read, compared and written."""
