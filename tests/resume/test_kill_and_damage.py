"""kill -9 of a real process, then damage to its ledger: `rescue` and `resume` bring every row to the target once."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.resume.outside import Outside, orgs_outside


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """The orgs, in another process."""
    with orgs_outside(tmp_path) as made:
        yield made


def _damage(folder: Path, draw: random.Random) -> str:
    """Flip bytes at several places of the ledger and of its write-ahead log, or cut one of them."""
    (path,) = folder.glob("runs/*/ledger.sqlite")
    log = path.with_name("ledger.sqlite-wal")
    what = draw.choice(["flipped", "cut", "log cut", "noise at the front"])
    for one in (path, log):
        content = bytearray(one.read_bytes()) if one.exists() else bytearray()
        if not content:
            continue
        for _ in range(24):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        if what == "cut" and one == path:
            del content[len(content) // 3 :]
        if what == "log cut" and one == log:
            del content[len(content) // 3 :]
        if what == "noise at the front":
            content[:100] = draw.randbytes(min(100, len(content)))
        one.write_bytes(content)
    return what


def _killed_and_damaged(outside: Outside, seed: int, times: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - instants and places
    command: tuple[str, ...] = ("run", str(outside.folder / "plan.yaml"))
    for _ in range(times):
        outside.kill_after(draw.uniform(1.0, 6.0), *command)
        what = _damage(outside.folder, draw)
        code, out = outside.finish("rescue", "--yes")
        assert code == 0, (seed, what, out)
        assert "0 whose rows will be looked up" in out, (seed, what, out)
        command = ("resume",)
    code, out = outside.finish("resume")
    assert code == 0, (seed, out)
    assert outside.truth("merged") == outside.truth("legacy"), seed
    code, out = outside.finish("verify")
    assert code == 0, (seed, out)


@pytest.mark.timeout(400)
def test_killed_and_damaged_three_times(outside: Outside) -> None:
    _killed_and_damaged(outside, 20, 3)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(10))
def test_killed_and_damaged_at_random(outside: Outside, seed: int) -> None:
    _killed_and_damaged(outside, seed, 4)
