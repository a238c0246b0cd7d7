"""Results of QM programs other than Gaussian and Jaguar: a module a program, and one table of the files they write."""
