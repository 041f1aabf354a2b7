"""Files appear whole or not at all, are what their reference says, and a full disk is a pause."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.data import Workspace, folder_name
from migrator.errors import ExitCode, MigratorError


def test_a_published_file_has_its_checksum_size_and_rows(tmp_path: Path) -> None:
    ref = Workspace(tmp_path / "run").publish("a/b/c.csv", [b"one\n", b"two\n"], 2)
    assert (ref.path, ref.size, ref.rows) == ("a/b/c.csv", 8, 2)
    assert Workspace(tmp_path / "run").verify(ref).read_bytes() == b"one\ntwo\n"


def test_modes_keep_others_out(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "run")
    ref = workspace.publish("a/b.csv", [b"x"], 1)
    assert stat.S_IMODE(workspace.path(ref).stat().st_mode) == 0o600
    assert stat.S_IMODE(workspace.path(ref).parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700


def test_a_writer_that_stops_half_way_leaves_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "run")

    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        workspace.publish("a.csv", chunks(), 1)
    assert not (tmp_path / "run" / "a.csv").exists()
    assert list((tmp_path / "run" / "tmp").iterdir()) == []


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"onf\n"), lambda path: path.unlink()])
def test_a_damaged_file_is_named(tmp_path: Path, damage: object) -> None:
    workspace = Workspace(tmp_path / "run")
    ref = workspace.publish("a.csv", [b"one\n"], 1)
    assert callable(damage)
    damage(workspace.path(ref))
    with pytest.raises(MigratorError) as caught:
        workspace.verify(ref)
    assert caught.value.code == "state-corrupt"
    assert "a.csv" in str(caught.value)


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside", "a/../../b", ""])
def test_nothing_is_written_outside(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError):
        Workspace(tmp_path / "run").publish(path, [b"x"], 1)


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "disk-full"), (errno.EROFS, "disk-lost")])
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_disk_that_fails_is_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str, call: str
) -> None:
    workspace = Workspace(tmp_path / "run")

    def fail(*_: object) -> int:
        raise OSError(number, "injected")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(MigratorError) as caught:
        workspace.publish("a.csv", [b"x"], 1)
    assert (caught.value.code, caught.value.exit_code) == (code, ExitCode.PAUSED)
    assert not (tmp_path / "run" / "a.csv").exists()


def test_every_publication_is_synced_before_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path / "run")
    workspace.publish("a/first.csv", [b"x"], 1)
    calls: list[str] = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        mode = os.fstat(descriptor).st_mode
        calls.append("sync folder" if stat.S_ISDIR(mode) else "sync file")
        real_sync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        calls.append("rename")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", replace)
    workspace.publish("a/second.csv", [b"x"], 1)
    assert calls == ["sync file", "rename", "sync folder"]
    calls.clear()
    refs = workspace.publish_all("a", [("third.csv", [b"x", b"y"], 1), ("fourth.csv", [b"z"], 1)])
    assert calls == ["sync file", "rename"] * 2 + ["sync folder"]
    assert [workspace.verify(ref).read_bytes() for ref in refs] == [b"xy", b"z"]


def test_a_folder_that_no_run_came_of_goes_again_and_no_other(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a path"), Workspace.founded(tmp_path / "new") as made:
        made.publish_all("a", [("b.csv", [b"x"], 1), ("../../c.csv", [b"x"], 1)])
    assert not (tmp_path / "new").exists()
    before = Workspace(tmp_path / "old").publish("a/b.csv", [b"x"], 1)
    with pytest.raises(MigratorError), Workspace.founded(tmp_path / "old") as made:
        raise MigratorError("nothing-to-undo", "no")
    assert made.verify(before).read_bytes() == b"x"
    with Workspace.founded(tmp_path / "kept") as made:
        kept = made.publish("a/b.csv", [b"x"], 1)
    assert made.verify(kept).read_bytes() == b"x"


def test_a_folder_goes_again_only_where_nothing_is_in_it(tmp_path: Path) -> None:
    Workspace(tmp_path / "empty").discard_empty()
    assert not (tmp_path / "empty").exists()
    kept = Workspace(tmp_path / "kept")
    file = kept.publish("a/b.csv", [b"x"], 1)
    kept.discard_empty()
    assert kept.verify(file).read_bytes() == b"x"
    assert kept.publish("a/c.csv", [b"y"], 1).rows == 1, "it can be worked in as before"


def test_sweep_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "run")
    (tmp_path / "run" / "tmp" / "left").mkdir()
    (tmp_path / "run" / "tmp" / "left" / "file").write_bytes(b"x")
    workspace.sweep()
    assert list((tmp_path / "run" / "tmp").iterdir()) == []


def test_folder_names_are_safe_and_different() -> None:
    names = ["load Account", "load/Account", "..", ".", "link A.B", "Ünïcode", "a:b", "a%3Ab"]
    made = [folder_name(name) for name in names]
    assert len(set(made)) == len(made)
    assert all("/" not in name and ":" not in name and name not in {".", ".."} for name in made)
    assert folder_name("load Account") == "load Account"
