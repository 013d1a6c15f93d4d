"""Recipes: one file per published table, with everything that decides a number of a run."""
