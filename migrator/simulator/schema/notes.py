"""What a reader of somebody's schema could not read or left out, with its place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """One thing that is not as in the source; the org is made without it."""

    path: str
    line: int  # 0 when it is about a whole file
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"
