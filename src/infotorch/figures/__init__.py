"""Figures: plain numbers drawn with plotly, for every `.figure()` and the report; no torch."""
