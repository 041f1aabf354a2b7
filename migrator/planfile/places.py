"""A place inside a text of the plan as a place in the file."""

from migrator.errors import Where
from migrator.model.plan import DocumentPath
from migrator.planfile.document import Document, line_at


def inside_text(document: Document, path: DocumentPath, text: str, line: int, column: int) -> Where:
    """Where line and column of a text stand in the file; the start of the text when escapes or variables shift it."""
    start = document.place(path)
    style = document.styles.get(path, "")
    written = line_at(document.text, start.line + (line if style == "|" else 0))
    piece = text.split("\n")[line - 1] if 0 < line <= text.count("\n") + 1 else ""
    if style == "|":
        indent = len(written) - len(written.lstrip(" "))
        return Where(start.path, start.line + line, indent + column) if piece in written else start
    offset = start.column - 1 + len(style)
    if line == 1 and written[offset:].startswith(piece):
        return Where(start.path, start.line, offset + column)
    return start
