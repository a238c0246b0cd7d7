"""What a fit is to reproduce: deviations from the reference and their exact derivatives."""
