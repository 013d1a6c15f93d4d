"""Run directories -> tables, figures, one self-contained HTML page. Imports records alone; never torch."""
