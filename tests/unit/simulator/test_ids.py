"""Record ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.simulator import ids


@pytest.mark.parametrize(
    ("fifteen", "check"), [("001dM00003kS2nd", "QAC"), ("750ak000009BWKL", "AA4"), ("012000000000000", "AAA")]
)
def test_checksum_of_real_ids(fifteen: str, check: str) -> None:
    assert ids.checksum(fifteen) == check
    assert ids.to_18(fifteen) == fifteen + check
    assert ids.is_id(fifteen)
    assert ids.is_id(fifteen + check)


@given(st.integers(0, 62**9 - 10_000), st.integers(1, 300))
def test_numbers_survive_and_ids_are_what_the_checksum_says(first: int, count: int) -> None:
    made = ids.encode("a0Z", "xQ0", first, count)
    assert [ids.decode(each) for each in made] == list(range(first, first + count))
    assert all(each == ids.to_18(each[:15]) for each in made)
    assert made[-1] == ids.encode_one("a0Z", "xQ0", first + count - 1)


@pytest.mark.parametrize("text", ["", "001", "001dM00003kS2n!", "001dM00003kS2ndQAX", "001dM00003kS2ndQACx"])
def test_what_is_no_id(text: str) -> None:
    assert not ids.is_id(text)


def test_decode_of_nonsense_is_no_number() -> None:
    assert ids.decode("001dM0-0003kS2n") == -1
    assert ids.decode("short") == -1
