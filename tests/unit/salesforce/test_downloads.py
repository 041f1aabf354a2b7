"""A download is whole, or it fails: whichever way it was cut."""

import gzip
import socket
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.errors import ExitCode
from migrator.salesforce import Org, RequestFailed
from migrator.salesforce.body import BrokenBody, decoded

Connect = Callable[..., Org]
Play = Callable[[socket.socket], None]

JOB = "750ak000009BWKLAA4"
ROWS = b'"sf__Id","sf__Created",Name\n' + b'"001ak000009BWKLAA4","true","x\ny"\n' * 5_000


def serving(*parts: bytes, headers: str = "", chunked: bool = False, last: bool = True) -> Play:
    """An answer in pieces; without `last` the connection ends before the answer does."""

    def play(connection: socket.socket) -> None:
        while b"\r\n\r\n" not in connection.recv(65536):
            pass
        kind = "Transfer-Encoding: chunked\r\n" if chunked else ""
        connection.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Type: text/csv; charset=UTF-8\r\n{kind}{headers}\r\n".encode()
        )
        for part in parts:
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        if chunked and last:
            connection.sendall(b"0\r\n\r\n")

    return play


@pytest.fixture
def org(
    scripted: Connect, raw_server: Callable[[Play], str], request: pytest.FixtureRequest
) -> Iterator[Org]:
    made = scripted(None, instance_url=raw_server(request.param), simulator=True)
    yield made
    made.close()


LENGTH = f"Content-Length: {len(ROWS)}\r\n"
SQUEEZED = gzip.compress(ROWS)
GZIP = "Content-Encoding: gzip\r\n"

WHOLE = {
    "length": serving(ROWS, headers=LENGTH),
    "chunks": serving(ROWS[:100], ROWS[100:], chunked=True),
    "one byte at a time": serving(*(ROWS[at : at + 1] for at in range(2_000)), ROWS[2_000:], headers=LENGTH),
    "gzip": serving(SQUEEZED, headers=GZIP + f"Content-Length: {len(SQUEEZED)}\r\n"),
    "gzip in chunks": serving(SQUEEZED[:7], SQUEEZED[7:], headers=GZIP, chunked=True),
    "gzip, two members": serving(
        gzip.compress(ROWS[:99]), gzip.compress(ROWS[99:]), headers=GZIP, chunked=True
    ),
}
CUT = {
    "length": serving(ROWS[:-35], headers=LENGTH),
    "length, in a quoted field": serving(ROWS[:-3], headers=LENGTH),
    "chunks, at a row's end": serving(ROWS[:-35], chunked=True, last=False),
    "chunks, before any": serving(chunked=True, last=False),
    "gzip, connection lives on": serving(SQUEEZED[:-20], headers=GZIP, chunked=True),
    "gzip, only its trailer": serving(SQUEEZED[:-8], headers=GZIP, chunked=True),
    "gzip, second member": serving(SQUEEZED, gzip.compress(ROWS)[:30], headers=GZIP, chunked=True),
    "gzip, damaged": serving(SQUEEZED[:100] + b"\x00" * 50 + SQUEEZED[150:], headers=GZIP, chunked=True),
    "gzip that is none": serving(ROWS, headers=GZIP, chunked=True),
    "unknown encoding": serving(ROWS, headers="Content-Encoding: br\r\n", chunked=True),
}


@pytest.mark.parametrize("org", WHOLE.values(), ids=WHOLE.keys(), indirect=True)
def test_whole(org: Org) -> None:
    assert b"".join(org.results(JOB, "successful")) == ROWS


@pytest.mark.parametrize("org", CUT.values(), ids=CUT.keys(), indirect=True)
def test_cut(org: Org) -> None:
    with pytest.raises(RequestFailed) as caught:
        b"".join(org.results(JOB, "successful"))
    assert (caught.value.code, caught.value.retryable) == ("answer-broken", True)
    assert caught.value.exit_code is ExitCode.PAUSED


PAGED = serving(ROWS, headers=f"{LENGTH}Sforce-NumberOfRecords: 5000\r\nSforce-Locator: MTAwMDA\r\n")
LAST = serving(ROWS, headers=f"{LENGTH}Sforce-NumberOfRecords: 5000\r\nSforce-Locator: null\r\n")
SILENT = serving(ROWS, headers=LENGTH)


@pytest.mark.parametrize(
    ("org", "rows", "locator"),
    [(PAGED, 5_000, "MTAwMDA"), (LAST, 5_000, ""), (SILENT, None, "")],
    ids=["more", "last", "not told"],
    indirect=["org"],
)
def test_pages_tell_their_rows_and_the_next(org: Org, rows: int | None, locator: str) -> None:
    with org.page(JOB, "x", 5_000) as page:
        assert (page.rows, page.locator) == (rows, locator)


def test_a_page_for_people_is_no_download(scripted: Connect) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, html="<html>sign in</html>")

    with pytest.raises(RequestFailed) as caught:
        scripted(httpx.MockTransport(answer)).results(JOB, "failed")
    assert caught.value.code == "proxy-answer"


def test_the_paths_and_parameters(scripted: Connect) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url).partition("/jobs/")[2])
        assert request.headers["Accept"] == "text/csv"
        assert request.headers["Accept-Encoding"] == "gzip"
        return httpx.Response(200, headers={"Content-Type": "text/csv"}, stream=httpx.ByteStream(b"x"))

    org = scripted(httpx.MockTransport(answer))
    for download in (
        org.results(JOB, "successful"),
        org.results(JOB, "failed"),
        org.results(JOB, "unprocessed"),
        org.page(JOB),
        org.page(JOB, "MTA=&x", 50),
    ):
        assert list(download) == [b"x"]
    assert seen == [
        f"ingest/{JOB}/successfulResults",
        f"ingest/{JOB}/failedResults",
        f"ingest/{JOB}/unprocessedrecords",
        f"query/{JOB}/results",
        f"query/{JOB}/results?locator=MTA%3D%26x&maxRecords=50",
    ]


@settings(max_examples=60)
@given(
    content=st.binary(max_size=5_000),
    cuts=st.lists(st.integers(0, 6_000), max_size=6),
    level=st.integers(0, 9),
)
def test_gzip_comes_back_however_it_is_cut_into_pieces(content: bytes, cuts: list[int], level: int) -> None:
    squeezed = gzip.compress(content, level)
    edges = [0, *sorted(min(one, len(squeezed)) for one in cuts), len(squeezed)]
    parts = [squeezed[start:end] for start, end in pairwise(edges)]
    assert b"".join(decoded(_answer(*parts))) == content
    for end in range(0, len(squeezed), max(1, len(squeezed) // 20)):
        if end:
            with pytest.raises(BrokenBody):
                b"".join(decoded(_answer(squeezed[:end])))


def _answer(*parts: bytes) -> httpx.Response:
    class Stream(httpx.SyncByteStream):
        def __iter__(self) -> object:  # type: ignore[override]
            return iter(parts)

    return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Stream())


def test_a_bomb_is_noticed_before_it_fills_the_disk() -> None:
    packer = zlib.compressobj(6, wbits=31)
    bomb = b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(80)) + packer.flush()
    size = 0
    with pytest.raises(BrokenBody, match="without measure"):  # noqa: PT012 - how far it got is part of the claim
        for piece in decoded(_answer(bomb)):
            assert len(piece) <= 1 << 20
            size += len(piece)
    assert size <= 66 << 20
