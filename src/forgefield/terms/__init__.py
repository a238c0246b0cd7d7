"""Internal coordinates and the energy terms made of them: pure functions of one interaction."""
