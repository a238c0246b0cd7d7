"""Commands that fit force fields to quantum chemistry."""
