"""Bytes of many batches in one spool."""

from migrator.simulator.bulk.spool import Pieces, Spool


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
