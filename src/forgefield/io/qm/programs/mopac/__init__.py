"""What MOPAC writes: .aux files and output."""
