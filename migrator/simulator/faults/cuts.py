"""Answers that end too early."""

import csv
import gzip
import io

from migrator.simulator.faults.model import Cut
from migrator.simulator.http import Response


def cut_short(response: Response, cut: Cut) -> Response:
    """The first part of the answer, which says of itself that it is whole."""
    body = response.read()
    headers = response.headers
    if cut is Cut.GZIP:
        if headers.get("Content-Encoding") != "gzip":
            body = gzip.compress(body, 1)
            headers = headers.with_({"Content-Encoding": "gzip"})
        return Response(response.status, headers, body[: len(body) // 2])
    squeezed = headers.get("Content-Encoding") == "gzip"
    plain = gzip.decompress(body) if squeezed else body
    kept = plain[: place_of(plain, cut)]
    return Response(response.status, headers, gzip.compress(kept, 1) if squeezed else kept)


def place_of(body: bytes, cut: Cut) -> int:
    """How many bytes of a CSV (or any other) body are left by the cut; never all of them where there are some."""
    if cut is Cut.MIDDLE or not body:
        return len(body) // 2
    lines = _row_ends(body)
    if cut is Cut.ROW and len(lines) > 1:
        return lines[(len(lines) - 1) // 2]
    start = lines[0] if len(lines) > 1 else 0
    quote = body.find(b'"', max(start, len(body) // 2))
    opening = _opening_quote(body, start, quote)
    return min(opening + 2, len(body) - 1) if opening >= 0 else len(body) // 2


def _row_ends(body: bytes) -> list[int]:
    """Where the rows of a CSV end; newlines in cells end none."""
    ends, quoted = [], False
    for place, byte in enumerate(body):
        if byte == 0x22:
            quoted = not quoted
        elif byte == 0x0A and not quoted:
            ends.append(place + 1)
    return ends


def _opening_quote(body: bytes, start: int, near: int) -> int:
    """A quote that opens a cell with something in it, as near as can be."""
    place, opened, best = start, True, -1
    while (place := body.find(b'"', place)) >= 0:
        if opened and body[place + 1 : place + 2] not in {b'"', b""}:
            best = place
            if near >= 0 and place >= near:
                break
        opened = not opened
        place += 1
    return best


def csv_rows(body: bytes) -> list[list[str]]:
    """The rows of a CSV body."""
    return list(csv.reader(io.StringIO(body.decode(), newline="")))


def csv_bytes(rows: list[list[str]], head: bytes) -> bytes:
    """A CSV body of these rows under a header that is kept as it was."""
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return head + out.getvalue().encode()


def header_of(body: bytes) -> bytes:
    """The header line of a CSV body, with its line ending."""
    ends = _row_ends(body[:65_536])
    return body[: ends[0]] if ends else body
