"""Force constants read off a QM Hessian, and what is done to a transition state's negative eigenvalue."""
