"""Force fields laid over one molecule as the files of engines state them: every interaction with its values."""
