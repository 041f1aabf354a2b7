"""Bytes of many batches in one spool."""

import gc
import io
from pathlib import Path

from migrator.simulator.bulk.spool import _SHARED, Pieces, Spool


def test_pieces_grow_side_by_side_in_one_spool() -> None:
    spool = Spool()
    first, second = Pieces(spool), Pieces(spool)
    big = b"x" * 700_000
    for number in range(4):
        first.append(b"%d" % number)
        second.append(big)
        first.append(b"")
    assert first.read() == b"0123"
    assert (first.size, second.size) == (4, 2_800_000)
    assert second.read() == big * 4
    assert spool.size == 2_800_004
    assert Pieces(spool).read() == b""


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _content(number: int, size: int) -> bytes:
    return (b"%d," % number * size)[:size]


def test_thousands_of_spools_cost_one_open_file() -> None:
    """An org with five hundred jobs had no descriptor left for its clients."""
    sizes = [0, 1, 1 << 18, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_001]
    Spool().append(b"x" * 2_000_000)  # the file is there
    before = _open_files()
    spools = []
    for number in range(140):
        spool, whole = Spool(), _content(number, sizes[number % len(sizes)])
        for start in range(0, len(whole), 400_000):
            spool.append(whole[start : start + 400_000])
        spools.append((spool, whole))
    assert _open_files() == before
    for spool, whole in spools:
        assert spool.size == len(whole)
        assert b"".join(spool.stream()) == whole
        assert spool.read(300_000, 900_000) == whole[300_000:1_200_000]
        assert spool.read(len(whole) - 5 if len(whole) > 5 else 0, 100) == whole[-5:]
        assert spool.file().read() == whole
        assert b"".join(spool.shuffled("")) == whole


def test_a_spool_is_a_file_that_can_be_read_anywhere() -> None:
    spool = Spool()
    lines = [b"line %d of many\n" % number for number in range(200_000)]
    for start in range(0, len(lines), 5000):
        spool.append(b"".join(lines[start : start + 5000]))
    file = spool.file()
    assert file.readlines() == lines
    file.seek(0)
    assert file.readline() == lines[0]
    assert file.tell() == len(lines[0])
    assert file.seek(-len(lines[-1]), io.SEEK_END) == spool.size - len(lines[-1])
    assert file.read() == lines[-1]


def test_the_blocks_of_a_spool_that_is_gone_are_used_again() -> None:
    first = Spool()
    first.append(b"a" * 2_000_000)
    newest = next(_SHARED._new)
    del first
    gc.collect()
    second = Spool()
    second.append(b"b" * 1_500_000)
    assert max(second._blocks) < newest
    assert second.read(0, 2_000_000) == b"b" * 1_500_000
