"""The job of distilling: a student trained on a data set, into a folder."""
