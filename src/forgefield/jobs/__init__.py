"""What the commands do: from a validated file to written results. The command line and Python users call the same."""
