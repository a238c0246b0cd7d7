"""What is told of a fit that has ended."""
