"""What a run came to, for people (HTML, Markdown) and for programs (JSON, JUnit XML); all say the same.

**Invariant:** made from the summary alone, so a report can be made again at any time; nothing here reads an org or a file
of the run.
"""

from collections.abc import Sequence
from typing import Any

from migrator.model.summary import Summary
from migrator.report.as_html import as_html
from migrator.report.as_json import as_json
from migrator.report.as_junit import as_junit
from migrator.report.as_markdown import as_markdown
from migrator.report.facts import RowsFile, gather

__all__ = ["RowsFile", "render_html", "render_json", "render_junit", "render_markdown"]


def render_html(summary: Summary, *, made: float, files: Sequence[RowsFile] = ()) -> str:
    """One HTML page that needs nothing else. `made`: now, in epoch seconds; `files`: where the rows are listed."""
    return as_html(gather(summary, made, files))


def render_json(summary: Summary, *, made: float, files: Sequence[RowsFile] = ()) -> dict[str, Any]:
    """JSON values that `schemas/report.schema.json` describes."""
    return as_json(gather(summary, made, files))


def render_markdown(summary: Summary, *, made: float, files: Sequence[RowsFile] = ()) -> str:
    """Markdown for a ticket or a pull request."""
    return as_markdown(gather(summary, made, files))


def render_junit(summary: Summary, *, made: float, files: Sequence[RowsFile] = ()) -> str:
    """JUnit XML: each step and each verification is a test."""
    return as_junit(gather(summary, made, files))
