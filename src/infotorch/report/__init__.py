"""Run directories -> tables, figures, one self-contained HTML page. Imports records alone; never torch."""

from infotorch.report.page import write_report
from infotorch.report.summaries import Measured, VariantSummary, summarise
from infotorch.report.table import markdown_table, terminal_table

__all__ = ["Measured", "VariantSummary", "markdown_table", "summarise", "terminal_table", "write_report"]
