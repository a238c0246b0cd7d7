"""Commands that make students and look at them."""
