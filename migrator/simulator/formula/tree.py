"""The tree of a formula."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, TRUE, FALSE or NULL."""

    value: Decimal | str | bool | None


@dataclass(frozen=True, slots=True)
class Name:
    """A field, of the record or over relationships of a parent, or a global variable: `Account.Owner.Email`, `$User.Id`."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an operator with its arguments; operators are functions with their sign for a name."""

    function: str
    arguments: tuple["Node", ...]


Node = Literal | Name | Call


def depth(node: Node) -> int:
    """How deep calls lie in each other; goes down no further than it must to say too deep."""
    deepest, level = 0, [node]
    while level:
        deepest += 1
        level = [each for found in level if isinstance(found, Call) for each in found.arguments]
    return deepest
