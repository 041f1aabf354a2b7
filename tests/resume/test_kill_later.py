"""kill -9 in the middle of a retry and of an undo, over real HTTP: both go on like any run."""

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plans import PEOPLE, inserted, plan_of
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


#: rows fail, because the target has their key already
STRICT = plan_of(inserted("Account", "Name", "map: {Legacy_Id__c: Id}"), PEOPLE, name="strict")


@pytest.mark.timeout(400)
def test_a_retry_killed_at_each_named_point_sends_each_row_once(outside: Outside) -> None:
    (outside.folder / "plan.yaml").write_text(STRICT, encoding="utf-8")
    with outside.org("legacy") as source, outside.org("merged") as target:
        ids = [str(one["Id"]) for one in source.query("SELECT Id FROM Account ORDER BY Name LIMIT 10")]
        rows = [{"Name": "in the way", "Legacy_Id__c": one} for one in ids]
        made = target.send_rows("Account", "insert", None, rows, {})
        code, out = outside.finish("run", str(outside.folder / "plan.yaml"))
        assert code == 1, out
        away = [{"Id": one.id, "Legacy_Id__c": None} for one in made]
        assert all(one.success for one in target.send_rows("Account", "update", None, away, {}))
    command: tuple[str, ...] = ("retry",)
    for point in ("before:result:FetchPage:1", "before:result:PrepareAgain:1", "after:intent:CloseUpload:1"):
        code, out = outside.finish(*command, failpoint=point)
        assert code == -signal.SIGKILL, f"{point} was not met\n{out}"
        command = ("resume",)
    code, out = outside.finish("resume")
    assert code == 0, out
    legacy, merged = outside.truth("legacy"), outside.truth("merged")
    assert merged["Contact"] == legacy["Contact"]
    assert Counter(name for name, _ in merged["Account"].elements() if name != "in the way") == Counter(
        name for name, _ in legacy["Account"].elements()
    )


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
