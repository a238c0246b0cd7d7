"""Training of neural force fields."""
