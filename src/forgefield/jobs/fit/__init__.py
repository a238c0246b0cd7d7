"""The main job, from FIT.toml to its results."""
