"""The fits themselves: passes over policies, refits, other weights, validation."""
