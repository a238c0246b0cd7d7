"""Force fields in files."""
