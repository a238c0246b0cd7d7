"""Molecules as read, what QM said of them, and the integers that describe a batch of them."""
