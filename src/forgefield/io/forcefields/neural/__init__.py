"""The weights of neural force fields."""
