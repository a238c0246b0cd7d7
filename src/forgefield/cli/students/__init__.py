"""Commands that make students, judge them and take them elsewhere."""
