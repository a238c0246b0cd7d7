"""Rules that give each interaction of a molecule its row of parameters."""
