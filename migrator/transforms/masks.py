"""Masks: a value replaced by one that does not tell it, in SQL alone.

Equal values get equal masks under one salt, so that duplicates and joins survive. A mask hides a value from readers; who
knows the salt can still try all phone numbers.

**Invariant:** a mask depends on the value and the salt, nothing else; null stays null.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from migrator.transforms.sql import literal

_SYLLABLES = (
    "babebibobudadedidodufafefifofugagegigogukakekikokulalelilolumamemimomunaneninonupapepipopurareriroru"
)
_INITIALS = "BDFGKLMNPRSTVZ"
_VOWELS = "aeiou"


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask: what it does, and the SQL that does it to SQL."""

    does: str
    build: Callable[[str, str], str]


def _salted(value: str, salt: str) -> str:
    return f"{literal(salt)} || ({value})"


def _sha(value: str, salt: str) -> str:
    return f"sha256({_salted(value, salt)})"


def _number(value: str, salt: str) -> str:
    """64 bits of a hash as a number; DuckDB is a hundred times slower at writing out 128."""
    return f"md5_number_lower({_salted(value, salt)})"


def _drawn(first: str, count: int) -> str:
    """One of `count` characters from `first` on, drawn by the hash `h` and the position `i`."""
    draw = "unicode(h[i % 64 + 1]) + 3 * unicode(h[i * 7 % 64 + 1])"
    return f"chr(CAST({ord(first)} + ({draw}) % {count} AS INTEGER))"


def _shaped(cases: str) -> Callable[[str, str], str]:
    """Replaces characters one by one; the hash is made once a row, by the outer lambda."""

    def build(value: str, salt: str) -> str:
        each = f"lambda c, i: CASE {cases} ELSE c END"
        body = f"array_to_string(list_transform(string_split({value}, ''), {each}), '')"
        return f"list_transform([{_sha(value, salt)}], lambda h: {body})[1]"

    return build


def _email(value: str, salt: str) -> str:
    # .invalid never resolves (RFC 2606): nothing is ever sent there
    return f"(left({_sha(value, salt)}, 20) || '@masked.invalid')"


def _phone(value: str, salt: str) -> str:
    # no country has the code 999: digits at random might ring somewhere
    return f"('+999 ' || lpad(CAST({_number(value, salt)} % 10000000000 AS VARCHAR), 10, '0'))"


def _name(value: str, salt: str) -> str:
    """Four syllables, about nine million names."""
    number = _number(value, salt)
    initials, vowels, syllables = len(_INITIALS), len(_VOWELS), len(_SYLLABLES) // 2
    parts = [
        f"substr('{_INITIALS}', CAST({number} % {initials} AS BIGINT) + 1, 1)",
        f"substr('{_VOWELS}', CAST({number} // {initials} % {vowels} AS BIGINT) + 1, 1)",
    ]
    parts += [
        f"substr('{_SYLLABLES}', CAST({number} // {initials * vowels * syllables**power} % {syllables} AS BIGINT) * 2 + 1, 2)"
        for power in range(3)
    ]
    return f"({' || '.join(parts)})"


def _hash(value: str, salt: str) -> str:
    return f"left({_sha(value, salt)}, 32)"


def _null(_value: str, _salt: str) -> str:
    return "CAST(NULL AS VARCHAR)"


_DIGITS = f"WHEN c BETWEEN '0' AND '9' THEN {_drawn('0', 10)}"
#: what is not ASCII is a letter nearly always, and gives a small one
_LETTERS = (
    f"{_DIGITS} WHEN c BETWEEN 'A' AND 'Z' THEN {_drawn('A', 26)} "
    f"WHEN c BETWEEN 'a' AND 'z' OR unicode(c) > 191 THEN {_drawn('a', 26)}"
)

MASKS: Mapping[str, Mask] = MappingProxyType(
    {
        "digits": Mask("other digits; everything else is kept", _shaped(_DIGITS)),
        "email": Mask("an address that nothing can be sent to", _email),
        "hash": Mask("32 hexadecimal characters", _hash),
        "name": Mask("a made-up name that can be spoken", _name),
        "null": Mask("no value", _null),
        "phone": Mask("a telephone number of a country that does not exist", _phone),
        "text": Mask("other letters and digits; blanks and signs are kept", _shaped(_LETTERS)),
    }
)
