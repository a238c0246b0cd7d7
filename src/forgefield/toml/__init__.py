"""TOML files against a schema: numbers with units, and what is said of a file that breaks it."""
