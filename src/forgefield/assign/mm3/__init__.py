"""MM3* files laid over molecules as MacroModel does it."""
