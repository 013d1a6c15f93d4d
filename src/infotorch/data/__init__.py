"""Data sets by name -> train, validation and test splits; checksummed; never silently something else."""
