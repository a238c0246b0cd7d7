"""Commands about students: what is validated, and where it goes."""
