"""Rounds of active learning: students explore, their teacher labels what they disagree about, they go on learning."""
