"""Other programs that evaluate the same force field: energy, gradient and Hessian of one molecule behind one seam."""
