"""`forgefield label`: structures of molecules labelled by a teacher."""
