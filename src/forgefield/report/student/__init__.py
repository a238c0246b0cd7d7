"""The report of a validation: a student against its teacher."""
