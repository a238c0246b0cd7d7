"""Validation of a student: its errors, its surface, its dynamics and its speed beside those of its teacher."""
