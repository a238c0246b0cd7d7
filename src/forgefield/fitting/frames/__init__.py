"""Many labelled structures of few molecules: what a force field says there, and its cost as a quadratic form."""
