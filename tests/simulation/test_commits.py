"""What is committed together, and that nothing happens in the org before what has to be on the disk is there."""

from pathlib import Path

from migrator.model.run import AttemptState
from migrator.simulator.bulk.v2.work import IngestWork
from migrator.state import read_ledger
from tests.simulation.small import Fuse, go, judge, small_lab


def test_what_an_answer_meant_and_the_next_intent_are_one_commit(tmp_path: Path) -> None:
    fuse = Fuse()
    lab = small_lab(tmp_path / "lab")
    judge(lab, go(lab, fuse))
    for result, intent in (("CreateJob", "Upload"), ("Upload", "CloseUpload")):
        points = (f"result:{result}", f"intent:{intent}")
        at = fuse.seen.index(f"before:{points[0]}")
        together = fuse.seen[at : fuse.seen.index(f"after:{points[0]}", at)]
        assert {f"before:{one}" for one in points} <= set(together), fuse.seen


def test_nothing_is_sent_before_its_intent_is_on_the_disk(tmp_path: Path) -> None:
    lab = small_lab(tmp_path / "lab")
    looked = []

    def look(point: str) -> None:
        kind = point.removeprefix("after:intent:")
        if kind not in {"Upload", "CloseUpload"}:
            return
        wanted = AttemptState.UPLOADING if kind == "Upload" else AttemptState.CLOSING
        live = {
            one.job_id: one.state
            for one in read_ledger(lab.folder).attempts
            if one.job_id and not one.state.final
        }
        assert wanted in live.values(), "it can be read by another process"
        for job in lab.target.part(IngestWork).jobs.values():
            if live.get(job.id) is wanted:
                looked.append(kind)
                assert (job.upload is None) if kind == "Upload" else job.state.value == "Open"

    judge(lab, go(lab, look))
    assert {"Upload", "CloseUpload"} <= set(looked)
