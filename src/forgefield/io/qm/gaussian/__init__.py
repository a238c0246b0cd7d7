"""What Gaussian writes: formatted checkpoints and output."""
