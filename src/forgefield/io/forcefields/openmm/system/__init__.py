"""Systems of OpenMM: every force with every interaction, as XML or as objects of Python."""
