"""Records: the run directory and its files, written and read without torch."""
