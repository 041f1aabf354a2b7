"""Salesforce record ids: 15 case-sensitive characters, or the same with a 3-character checksum.

The checksum makes the 18-character form unique without regard to case: for each group of five characters, bit k is set
when character k is an upper-case letter, and the five bits index into the alphabet below (REST API guide, "sObject ids").
"""

import re

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ID = re.compile(r"[0-9A-Za-z]{15}(?:[A-Z0-5]{3})?\Z")


def checksum(id15: str) -> str:
    """The three characters that turn a 15-character id into its 18-character form."""
    return "".join(
        _ALPHABET[sum(1 << bit for bit, char in enumerate(id15[start : start + 5]) if "A" <= char <= "Z")]
        for start in (0, 5, 10)
    )


def is_record_id(text: str) -> bool:
    """Whether `text` is a 15- or 18-character id, the latter with a right checksum."""
    return bool(_ID.match(text)) and (len(text) == 15 or checksum(text[:15]) == text[15:])


def to_18(text: str) -> str:
    """The 18-character form of a 15- or 18-character id.

    Raises ValueError when `text` is not a record id or its checksum is wrong.
    """
    if not is_record_id(text):
        raise ValueError("not a Salesforce record id")
    return text if len(text) == 18 else text + checksum(text)


def key_prefix(text: str) -> str:
    """The first three characters: they name the sObject in most cases (not in all: `00a` serves two)."""
    return text[:3]
