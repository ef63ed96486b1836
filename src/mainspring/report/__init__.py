"""A page about one run or several, from the files of their work directories."""

from mainspring.report.page import page_of, write_report
from mainspring.report.run import RunFiles, runs_in

__all__ = ["RunFiles", "page_of", "runs_in", "write_report"]
