"""What is raised when a text is not SOQL."""


class SoqlError(Exception):
    """The text is not SOQL. `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"{message} (line {line}, column {column})")
        self.message = message
        self.line = line
        self.column = column
