"""kill -9 in the middle of an undo, over real HTTP: it goes on like any run, and in the end nothing of the run is left."""

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.resume.outside import QUESTIONS, Outside, orgs_outside

POINTS = (
    "before:result:FetchPage:1",
    "after:intent:Upload:1",
    "after:intent:CloseUpload:1",  # a job that may be deleting already
    "before:result:Harvest:1",
)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """The orgs, in another process."""
    with orgs_outside(tmp_path) as made:
        yield made


@pytest.mark.timeout(400)
def test_an_undo_killed_at_each_named_point_leaves_nothing(outside: Outside) -> None:
    code, out = outside.finish("run", str(outside.folder / "plan.yaml"))
    assert code == 0, out
    assert outside.truth("merged") == outside.truth("legacy")
    refused, out = outside.finish("undo")
    assert (refused, "not-confirmed" in out) == (2, True)
    command: tuple[str, ...] = ("undo", "--yes")
    for point in POINTS:
        code, out = outside.finish(*command, failpoint=point)
        assert code == -signal.SIGKILL, f"{point} was not met\n{out}"
        command = ("resume",)
    code, out = outside.finish(*command)
    assert code == 0, out
    assert outside.truth("merged") == {sobject: Counter() for _, _, sobject in QUESTIONS}
    code, out = outside.finish("undo", "--yes")
    assert (code, "nothing-to-undo" in out) == (2, True)
