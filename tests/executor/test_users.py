"""A run goes on as the users that it began as, or somebody says that it may be others."""

from dataclasses import replace
from pathlib import Path

import pytest

from migrator.errors import ExitCode, MigratorError
from migrator.executor import Drive, Goal, Policy, Result, Undo
from migrator.simulator import load_csv_folder
from migrator.state import read_ledger
from tests.executor.orgs import Lab
from tests.simulation.small import Crash, Fuse, go, judge, small_lab

OTHER = "somebody.else@acme.example"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A run that was killed, and a target that signs its program in as another user since."""
    made = small_lab(tmp_path)
    with pytest.raises(Crash):
        go(made, Fuse(30))
    with made.ends().target as org:
        (mine,) = org.query(f"SELECT ProfileId FROM User WHERE Id = '{org.identity().user_id}'")
    folder = tmp_path / "users"
    folder.mkdir()
    header = "Username,LastName,Email,Alias,TimeZoneSidKey,LocaleSidKey,EmailEncodingKey,LanguageLocaleKey,ProfileId"
    row = f"{OTHER},Else,else@acme.example,else,Europe/London,en_GB,UTF-8,en_US,{mine['ProfileId']}"
    (folder / "User.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    load_csv_folder(made.target, folder)
    return made


def as_other(lab: Lab) -> str:
    """Sign in as the other user from now on; who that is."""
    lab.target.settings = replace(lab.target.settings, run_as=OTHER)
    return lab.ends().target.identity().user_id


def test_another_user_is_refused_before_anything_is_sent(lab: Lab) -> None:
    before = read_ledger(lab.folder).run.target_user_id
    made = lab.target.truth.count("Account")
    other = as_other(lab)
    assert other != before
    with pytest.raises(MigratorError) as caught:
        go(lab, Fuse())
    assert (caught.value.code, caught.value.exit_code) == ("user-mismatch", ExitCode.REFUSED)
    assert before in caught.value.diagnostic.what
    assert other in caught.value.diagnostic.what
    assert "--accept-user" in caught.value.diagnostic.hint
    assert lab.target.truth.count("Account") == made


def test_somebody_may_accept_it_and_the_log_says_who(lab: Lab) -> None:
    before = read_ledger(lab.folder).run.target_user_id
    other = as_other(lab)
    judge(lab, lab.drive(accept_user=True))
    (told,) = (one for one in lab.events() if one.kind == "user-changed")
    assert (told.facts["by"], told.facts["was"], told.facts["target_user"]) == ("ada", before, other)
    assert read_ledger(lab.folder).run.target_user_id == other
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK
    judge(lab, go(lab, Fuse()))


def _undone(lab: Lab, user: str) -> tuple[Result, int]:
    """How taking the run back ends, as that user, and how many accounts are left."""
    lab.clock.wait(60)
    into = lab.folder.parent / "undo"
    Undo(lab.folder).begin(into, run_id="undo-run", clock=lab.clock, memory_mb=128, user=user)
    result = replace(lab, folder=into, from_files=True).drive()
    return result, lab.ends().target.count("SELECT COUNT() FROM Account")


def test_another_user_may_take_a_run_back(lab: Lab) -> None:
    judge(lab, go(lab, Fuse()))
    result, left = _undone(lab, as_other(lab))
    assert (result.exit_code, left) == (ExitCode.OK, 0)


def test_what_each_user_of_a_run_has_made_is_taken_back(lab: Lab) -> None:
    other = as_other(lab)
    judge(lab, lab.drive(accept_user=True))
    result, left = _undone(lab, other)
    assert (result.exit_code, left) == (ExitCode.OK, 0), "nobody has changed anything since"


def test_whoever_only_verifies_may_be_anybody(lab: Lab) -> None:
    judge(lab, go(lab, Fuse()))
    as_other(lab)
    assert lab.drive(Goal.VERIFY).exit_code is ExitCode.OK


def test_whoever_verifies_twice_may_be_anybody_too(lab: Lab) -> None:
    judge(lab, go(lab, Fuse()))
    before = read_ledger(lab.folder).run.target_user_id
    as_other(lab)
    drive = Drive(lab.folder, lab.ends(), clock=lab.clock, workers=0, policy=Policy(), memory_mb=256)
    result = drive.go(Goal.VERIFY, lab.watch, twice=True)
    assert result.stop is None
    assert result.summary.repeated
    assert read_ledger(lab.folder).run.target_user_id == before, "what is found is told of the run as it was"
