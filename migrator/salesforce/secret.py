"""A secret that cannot be shown, stored or sent by accident.

**Invariant:** `reveal()` is the only way out; printing, formatting, pickling, copying into JSON all fail or show `***`.
"""

from typing import NoReturn, final


@final
class Secret:
    """A token, password or private key. Equality compares the content; there is no ordering, length or iteration."""

    __slots__ = ("__content",)

    def __init__(self, content: str) -> None:
        self.__content = content

    def reveal(self) -> str:
        """The content, for the one line that sends it."""
        return self.__content

    def __repr__(self) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self.__content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.__content == other.__content

    def __hash__(self) -> int:
        return hash((Secret, self.__content))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied")
