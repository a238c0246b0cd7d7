"""From the words of FIT.toml to everything that a fit needs."""
