"""What a fit is trained on, and what a model says of it."""
