"""What Molpro writes: output and XML."""
