"""Classical students: force fields fitted to all structures of a data set by the Gauss-Newton engine."""
