"""Masks: a value replaced by one that does not tell it, in SQL alone.

Equal values get equal masks under one salt, so that duplicates and joins survive. A mask hides a value from readers; who
knows the salt can still try all phone numbers.

**Invariant:** a mask depends on the value and the salt, nothing else; null stays null.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from migrator.transforms.sql import literal

_HEX = "'0123456789abcdef'"


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask: what it does, and the SQL that does it to SQL."""

    does: str
    build: Callable[[str, str], str]


def _hashed(value: str, salt: str) -> str:
    return f"sha256({literal(salt)} || ({value}))"


def _with_hash(value: str, salt: str, body: str) -> str:
    """`body` over `h`, the value's hash, computed once a row."""
    return f"list_transform([{_hashed(value, salt)}], lambda h: {body})[1]"


def _drawn(alphabet: str, position: str) -> str:
    """The character of the alphabet that 2 hexadecimal digits of the hash choose; positions wrap after 31."""
    number = f"CAST('0x' || substr(h, CAST((({position}) * 2) % 62 + 1 AS BIGINT), 2) AS BIGINT)"
    return f"substr({literal(alphabet)}, CAST({number} % {len(alphabet)} + 1 AS BIGINT), 1)"


def _shaped(classes: Mapping[str, str]) -> Callable[[str, str], str]:
    """Replaces each character of a class by another of its class, drawn by the hash and the position."""

    def build(value: str, salt: str) -> str:
        character = f"substr(({value}), i, 1)"
        cases = " ".join(
            f"WHEN regexp_matches({character}, {literal(pattern)}) THEN {_drawn(alphabet, 'i')}"
            for pattern, alphabet in classes.items()
        )
        each = f"lambda i: CASE {cases} ELSE {character} END"
        body = f"array_to_string(list_transform(range(1, length({value}) + 1), {each}), '')"
        return _with_hash(value, salt, body)

    return build


def _email(value: str, salt: str) -> str:
    # .invalid never resolves (RFC 2606): nothing is ever sent there
    return f"(left({_hashed(value, salt)}, 20) || '@masked.invalid')"


def _name(value: str, salt: str) -> str:
    """Four syllables, about 40 million names."""
    consonants, vowels = "'bdfghjklmnprstvz'", "'aeiouaeiouaeiouy'"
    parts = [
        f"translate(substr(h, {place}, 1), {_HEX}, {consonants if place % 2 else vowels})"
        for place in range(1, 9)
    ]
    return _with_hash(value, salt, " || ".join((f"upper({parts[0]})", *parts[1:])))


def _hash(value: str, salt: str) -> str:
    return f"left({_hashed(value, salt)}, 32)"


def _null(_value: str, _salt: str) -> str:
    return "CAST(NULL AS VARCHAR)"


_DIGITS = {"[0-9]": "0123456789"}
_LETTERS = {**_DIGITS, "[A-Z]": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", r"[\p{L}]": "abcdefghijklmnopqrstuvwxyz"}

MASKS: Mapping[str, Mask] = MappingProxyType(
    {
        "digits": Mask("other digits, everything else kept", _shaped(_DIGITS)),
        "email": Mask("an address that nothing can be sent to", _email),
        "hash": Mask("32 hexadecimal characters", _hash),
        "name": Mask("a name that can be spoken", _name),
        "null": Mask("no value", _null),
        "phone": Mask("other digits, the form kept", _shaped(_DIGITS)),
        "text": Mask("other letters and digits, blanks and signs kept", _shaped(_LETTERS)),
    }
)
