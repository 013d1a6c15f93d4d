"""Objectives: what one local module minimises."""
