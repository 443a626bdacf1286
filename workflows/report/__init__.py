"""The report of a run: one HTML page that needs nothing beside it."""

from workflows.report.page import REPORT, write_report
from workflows.report.verb import report

__all__ = ["REPORT", "report", "write_report"]
