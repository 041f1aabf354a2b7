"""The XML of Bulk API v1, written byte for byte as the platform indents it."""

from collections.abc import Sequence

from migrator.simulator.xmltree import HEAD, escape

NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"
Element = tuple[str, "str | Sequence[Element]"]  # a name with its text or its children


def opening(name: str) -> str:
    """The declaration and the root's tag, which the platform breaks over two lines."""
    return f'{HEAD}<{name}\n   xmlns="{NAMESPACE}">'


def document(name: str, children: Sequence[Element]) -> bytes:
    """A whole document."""
    if not children:
        return f'{HEAD}<{name}\n   xmlns="{NAMESPACE}" />'.encode()
    return f"{opening(name)}{''.join(lines(child, 1) for child in children)}\n</{name}>".encode()


def lines(element: Element, depth: int) -> str:
    """An element on lines of its own, a space of indent for each level."""
    name, held = element
    indent = "\n" + " " * depth
    if isinstance(held, str):
        return f"{indent}<{name}>{escape(held)}</{name}>"
    return f"{indent}<{name}>{''.join(lines(child, depth + 1) for child in held)}{indent}</{name}>"
