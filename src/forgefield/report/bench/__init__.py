"""What a comparison of solvers and engines found, as a page, tables and files."""
