"""Runs: a recipe becomes a run directory."""
