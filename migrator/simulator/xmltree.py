"""XML of requests, read with the dangerous parts refused, and text made fit to stand in XML."""

import re
from typing import Any
from xml.etree.ElementTree import (
    Element,
    TreeBuilder,
)

from defusedxml import DefusedXmlException, ElementTree

INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_NOT_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")  # characters XML cannot hold

Parsed = Any  # an element of the standard library's tree, which its safe reader does not name


class NotXml(Exception):  # noqa: N818 - what the body is
    """The text is no XML, or XML that nobody should read."""


def escape(text: str) -> str:
    """Text as it stands between tags."""
    cleaned = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
    return cleaned.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def read(data: bytes) -> Parsed:
    """The root of a document."""
    try:
        return ElementTree.fromstring(data, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as fault:
        raise NotXml(str(fault)) from None


class Numbered(Element):
    """An element that knows the line it begins in."""

    line = 0


def read_numbered(data: bytes) -> Numbered:
    """The root of a document whose elements know their lines."""

    def make(tag: str, attributes: dict[str, str]) -> Numbered:
        made = Numbered(tag, attributes)
        made.line = parser.parser.CurrentLineNumber
        return made

    parser: Any = ElementTree.DefusedXMLParser(
        target=TreeBuilder(element_factory=make),
        forbid_dtd=True,
    )
    try:
        parser.feed(data)
        root = parser.close()
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as fault:
        raise NotXml(str(fault)) from None
    assert isinstance(root, Numbered)  # noqa: S101 - made above
    return root


def write(element: Parsed) -> bytes:
    """An element as a document of its own."""
    return bytes(ElementTree.tostring(element))


def local(element: Parsed) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def texts(element: Parsed) -> dict[str, str]:
    """The texts of an element's children by name."""
    return {local(child): (child.text or "").strip() for child in element}


def is_nil(element: Parsed) -> bool:
    """Whether an element says that it is null."""
    return str(element.get(f"{{{INSTANCE}}}nil", "")).lower() in {"true", "1"}
