"""How good a fitted force field is, and how far it can be trusted."""
