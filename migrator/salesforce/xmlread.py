"""XML of answers, read with the dangerous parts refused. Pure."""

from typing import Any

from defusedxml import DefusedXmlException, ElementTree

Element = Any  # an element of the standard library's tree, which its safe reader does not name


def root_of(content: bytes) -> Element | None:
    """The root of a document; None where it is none, or one with a DTD or entities, which nobody should read."""
    try:
        return ElementTree.fromstring(content, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError):
        return None


def local(element: Element) -> str:
    """An element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def texts(element: Element) -> dict[str, str]:
    """The texts of all elements inside by name; of several with one name the last."""
    return {local(each): (each.text or "").strip() for each in element.iter() if each is not element}


def soap_fault(content: bytes) -> tuple[str, str]:
    """Code and text of a SOAP fault; empty where it is none. Salesforce repeats the code before the text."""
    root = root_of(content)
    if root is None:
        return "", ""
    told = texts(root)
    code = told.get("faultcode", "").rpartition(":")[2]
    return code, told.get("faultstring", "").removeprefix(f"{code}:").strip()
