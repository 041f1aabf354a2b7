"""The statement of `docs/guarantee.md`: each of its sentences stands there word for word, and is held to tests that show it."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guarantee.md"

EXPLORER = "tests/protocol/test_explorer.py::"
CATALOGUE = "tests/faults/test_catalogue.py::"
KILL = "tests/resume/test_kill.py::"
DISK = "tests/simulation/test_disk.py::"
CRASHES = "tests/simulation/test_crashes.py::"
LEDGERS = "tests/cli/test_ledgers.py::"
DOCTOR = "tests/cli/test_doctor.py::"
REVIEWED = "tests/cli/test_reviewed.py::"
RECONCILE = "tests/executor/test_reconcile.py::"

SENTENCES: dict[str, tuple[str, ...]] = {
    "Every row selected by the plan from the frozen extract ends in exactly one outcome: `CREATED`, `UPDATED`, `UNCHANGED`, `DELETED`, `SKIPPED(rule)`, "
    "`FAILED(code)`, `BLOCKED(parent)`, or `QUARANTINED(reason)`.": (
        CATALOGUE + "test_a_fault_leads_to_what_it_must",
        "tests/cli/test_data.py::test_refused_rows_are_told_with_their_codes_and_their_children_blocked",
        RECONCILE + "test_rows_of_a_job_that_was_half_done_are_quarantined_with_both_sides",
    ),
    'The counts add up to the extract, per object, or the run does not say "complete".': (
        "tests/protocol/test_mutants.py::test_a_broken_protocol_is_caught",
        CATALOGUE + "test_a_fault_leads_to_what_it_must",
        "tests/executor/test_unrecorded.py::test_a_crash_between_what_was_told_and_what_was_looked_up_changes_nothing",
    ),
    "If the process is killed, the machine loses power, the disk fills, the network drops, duplicates or delays requests, or the session expires — at any instant, "
    "any number of times — running `resume` on the same state neither loses a row nor creates a second target record for it.": (
        EXPLORER + "test_no_order_of_faults_loses_or_doubles_a_row",
        "tests/protocol/test_serial_explorer.py::test_no_order_of_faults_loses_or_doubles_a_row_of_a_serial_job",
        KILL + "test_killed_at_each_named_point",
        KILL + "test_killed_at_random_instants",
        CRASHES + "test_a_crash_at_every_point",
        CRASHES + "test_crashes_at_two_points",
        DISK + "test_no_room_at_any_file",
        DISK + "test_no_commit_at_any_point",
        DISK + "test_unsynced_bytes_of_the_log_dropped_or_torn",
        CATALOGUE + "test_a_fault_leads_to_what_it_must",
        "tests/simulation/test_seeds.py::test_seeds",
    ),
    "Where Salesforce cannot tell us what happened to a row, the row is `QUARANTINED` and its object stops; the tool never re-sends a row whose fate is unknown.": (
        RECONCILE + "test_rows_of_a_job_that_was_half_done_are_quarantined_with_both_sides",
        RECONCILE + "test_a_record_that_somebody_else_made_at_the_time_is_never_taken_for_a_row",
        "tests/executor/test_unrecorded.py::test_rows_without_a_recorded_result_are_looked_up_and_the_others_keep_theirs",
        "tests/faults/test_assumptions.py::test_a2_a_job_that_processed_two_uploads_is_not_believed",
    ),
    "Two processes on the same plan or the same target object never both send.": (
        LEDGERS + "test_a_second_process_is_told_who_has_the_run",
        LEDGERS + "test_a_run_is_taken_from_a_process_that_hangs",
        DOCTOR + "test_another_writer_is_noticed_before_anything_is_sent",
    ),
    "A plan, its tool-resolved form and the schema it was checked against are fingerprinted; a run refuses to continue on a changed one except through a named, "
    "recorded decision.": (
        REVIEWED + "test_what_has_begun_never_changes",
        REVIEWED + "test_a_locked_plan_runs_only_as_it_was_locked",
        REVIEWED + "test_an_org_that_changed_stops_the_step_before_it_writes",
    ),
}


def statement() -> list[str]:
    """The sentences of the page's quoted block, without their headings."""
    block = [
        line.removeprefix(">").strip()
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith(">")
    ]
    text = [re.sub(r"^\*\*[^*]+\*\* ", "", line) for line in block if line]
    return [one for line in text for one in re.split(r"(?<=\.) (?=[A-Z])", line)]


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef))


def test_the_statement_stands_there_sentence_by_sentence() -> None:
    assert statement() == list(SENTENCES)


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda one: " ".join(one.split()[:4]))
def test_each_sentence_has_tests_that_show_it(sentence: str) -> None:
    assert SENTENCES[sentence]
    for node in SENTENCES[sentence]:
        path, _, function = node.partition("::")
        assert function in functions_of(path), node
