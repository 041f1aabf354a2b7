"""What a kind of metadata can do: be found in a package's files, be applied so that it can be taken back, be read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from migrator.simulator.orgstate import OrgState
from migrator.simulator.xmltree import Parsed


class Problem(Exception):  # noqa: N818 - the platform's word
    """What is wrong with a component, in the words of the org."""

    def __init__(self, text: str, code: str = "INVALID_INPUT") -> None:
        super().__init__(text)
        self.text = text
        self.code = code  # of the calls for single components


@dataclass(frozen=True, slots=True)
class Component:
    """A component as somebody wants it."""

    type: str
    full_name: str
    file: str  # path in the package; empty in calls for single components
    element: Parsed
    api: int  # API version of the package or of the call


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a component did, and how to take it back before anybody saw it."""

    changed: bool
    created: bool
    undo: Callable[[], None]


class Kind(Protocol):
    """One kind of metadata."""

    type: str  # in package.xml
    single: str  # in calls for single components
    directory: str
    suffix: str
    children: Sequence[str]  # types of its parts

    def parts(self, file: str, element: Parsed, api: int) -> list[Component]:
        """The components of a file."""
        ...

    def apply(self, org: OrgState, component: Component, user_id: str) -> Applied:
        """Make it so; raises `Problem`."""
        ...

    def names(self, org: OrgState, type_: str) -> list[str]:
        """The full names of all that the org has of the type or of a type of its parts."""
        ...

    def file_of(self, full_name: str) -> str:
        """The name of the file that a component is in, without folder and suffix."""
        ...

    def part(self, org: OrgState, full_name: str, api: int) -> str | None:
        """A part of a file as it stands in it, or None where the org has no such thing."""
        ...

    def body(self, org: OrgState, full_name: str, api: int) -> str | None:
        """What is between the tags of the component's file, or None where the org has no such thing."""
        ...


def unexpected(element: Parsed, kind: str) -> Problem:
    """The parser's words for an element that a type does not have."""
    return Problem(f"Error parsing file: Element {element.tag} invalid at this location in type {kind}")
