"""`forgefield dataset`: what data sets hold, whether it is sound, and how they are made, merged and split."""
