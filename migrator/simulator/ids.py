"""Record ids: 15 and 18 characters, the checksum, and the way back from an id to a sequence number.

An id of ours is three characters of key prefix, three of pod and nine of a base-62 counter. Consecutive numbers share
their first thirteen characters in blocks of 3,844, so a chunk of ids costs one concatenation each.
"""

from functools import lru_cache
from itertools import product

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"  # five bits, one per character that is a capital
LONG = 18  # characters of an id with its checksum
COUNTER = 9  # digits of the base-62 counter; the last nine characters, as PK chunking counts them
BLOCK = 62 * 62

_DIGIT = {character: value for value, character in enumerate(ALPHABET)}
_PAIRS = tuple("".join(pair) for pair in product(ALPHABET, repeat=2))
_PAIR_VALUE = {pair: value for value, pair in enumerate(_PAIRS)}
_ALPHANUMERIC = frozenset(ALPHABET)


def _check_character(five: str) -> str:
    return CHECK[sum(1 << place for place, character in enumerate(five) if "A" <= character <= "Z")]


# The last check character for every value of the last two characters, by the capitals among the three before.
_TAILS = tuple(
    tuple(
        (pair, _check_character("".join("A" if bits >> place & 1 else "a" for place in range(3)) + pair))
        for pair in _PAIRS
    )
    for bits in range(8)
)


def checksum(fifteen: str) -> str:
    """The three characters that make an 18-character id, safe where case is lost, of a 15-character one."""
    return _check_character(fifteen[:5]) + _check_character(fifteen[5:10]) + _check_character(fifteen[10:15])


def to_18(record_id: str) -> str:
    """The 18-character form of a 15- or 18-character id."""
    return record_id if len(record_id) == 18 else record_id + checksum(record_id)


def is_id(text: str) -> bool:
    """Whether the text has the form of an id, its checksum included."""
    if len(text) not in {15, 18} or not _ALPHANUMERIC.issuperset(text):
        return False
    return len(text) == 15 or checksum(text) == text[15:]


def _digits(number: int, width: int) -> str:
    text = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return text


@lru_cache(maxsize=4_096)
def _block(prefix: str, pod: str, high: int) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """What the ids of a block share: thirteen characters, the first two check characters, and the tails that fit."""
    head = prefix + pod + _digits(high, COUNTER - 2)
    bits = sum(1 << place for place, character in enumerate(head[10:13]) if "A" <= character <= "Z")
    return head, _check_character(head[:5]) + _check_character(head[5:10]), _TAILS[bits]


def encode(prefix: str, pod: str, first: int, count: int = 1) -> list[str]:
    """The 18-character ids of `count` consecutive numbers from `first` on."""
    made: list[str] = []
    stop = first + count
    while first < stop:
        high, low = divmod(first, BLOCK)
        head, middle, tails = _block(prefix, pod, high)
        upper = min(BLOCK, low + stop - first)
        made += [head + pair + middle + last for pair, last in tails[low:upper]]
        first += upper - low
    return made


def encode_one(prefix: str, pod: str, number: int) -> str:
    """The 18-character id of a number."""
    high, low = divmod(number, BLOCK)
    head, middle, tails = _block(prefix, pod, high)
    pair, last = tails[low]
    return head + pair + middle + last


def decode(record_id: str) -> int:
    """The sequence number in an id; -1 when the text cannot be one."""
    value = _PAIR_VALUE
    try:
        number = _DIGIT[record_id[6]]
        for place in (7, 9, 11, 13):
            number = number * BLOCK + value[record_id[place : place + 2]]
    except (KeyError, IndexError):
        return -1
    return number
