"""What ADF and AMS write: output and .rkf files."""
