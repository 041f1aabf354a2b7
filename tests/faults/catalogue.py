"""The 116 faults that the guarantee is held against: what happens, what must come of it, and which tests show that.

A fault with a `script` is met by a small migration (`arena.py`), which is resumed until it ends and judged by what the target then holds. A fault with
`shown` is shown by the tests named there. One with neither is not covered yet, and the end of a test run says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

COUNT = 116
#: of jobs that are given up: as many as it takes
ANY = -1


class End(StrEnum):
    """How a migration that met a fault ends."""

    WHOLE = "every row is created once"
    DOUBT = "rows whose fate cannot be told are quarantined, none is doubled, none is lost"
    REFUSED = "every row has an outcome, some are refused, none is doubled"
    STOPPED = "it stops each time with the same word, and nothing is doubled"


@dataclass(frozen=True, slots=True)
class Script:
    """How the small migration meets the fault.

    `presets`: faults of the simulator's catalogue, one migration each (the one of this name when empty). `codes`: exit codes of its drives;
    `reason`: of the first that stopped; `between`: seconds that pass between drives; `drives`: how many at most. `given_up`: ingest jobs that are
    given up for another one; `orphans`: open jobs that nobody knows in the end. `rest`: the accounts travel over REST. `event`: what the log must have.
    """

    end: End
    codes: tuple[int, ...] = (0,)
    reason: str = ""
    at_source: bool = False
    between: float = 0.0
    drives: int = 4
    presets: tuple[str, ...] = ()
    given_up: int = 0
    orphans: int = 0
    rest: bool = False
    event: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry. With a script it may be shown by more tests, for what a single migration does not show."""

    what: str
    expected: str
    script: Script | None = None
    shown: tuple[str, ...] = ()


def _whole(
    what: str, expected: str = "goes on by itself", *, shown: tuple[str, ...] = (), **given: object
) -> Fault:
    return Fault(what, expected, Script(End.WHOLE, **given), shown)  # type: ignore[arg-type]


def _shown(what: str, expected: str, *tests: str) -> Fault:
    return Fault(what, expected, None, tests)


REQUESTS = "tests/unit/salesforce/test_requests.py::"
STORAGE = "tests/unit/state/test_storage.py::"
POSTGRES = "tests/unit/state/test_postgres.py::"
KILL = "tests/resume/test_kill.py::"
LEDGERS = "tests/cli/test_ledgers.py::"
DOCTOR = "tests/cli/test_doctor.py::"
REVIEWED = "tests/cli/test_reviewed.py::"
COMMANDS = "tests/cli/test_commands.py::"
DATA = "tests/cli/test_data.py::"
SWEEP = "tests/simulation/test_crashes.py::"
OUTAGES = "tests/executor/test_outages.py::"
UNRECORDED = "tests/executor/test_unrecorded.py::"
MOVING = "tests/executor/test_moving_source.py::"
RESETS = "tests/executor/test_resets.py::"
EXISTING = "tests/executor/test_existing.py::"
DISK = "tests/simulation/test_disk.py::"

NETWORK = {
    "N01": _shown(
        "the host has no address when a run begins",
        "pause, the host named, nothing written",
        REQUESTS + "test_an_unknown_host",
        OUTAGES + "test_no_address_when_a_run_begins_pauses_and_names_the_host",
    ),
    "N02": _shown(
        "the same for ten minutes of a run",
        "tried again at random moments, goes on by itself; an hour is a pause",
        OUTAGES + "test_no_address_for_ten_minutes_of_a_run_is_waited_out",
        OUTAGES + "test_pauses_between_tries_are_spread_out",
        OUTAGES + "test_no_address_for_an_hour_pauses_the_run_which_goes_on_afterwards",
    ),
    "N03": _shown(
        "nobody listens", "certainly not sent: any request may be repeated", REQUESTS + "test_nobody_listens"
    ),
    "N04": _shown(
        "a certificate that is not good",
        "no retry, no way around it",
        REQUESTS + "test_a_server_without_a_trusted_certificate",
        "tests/unit/salesforce/test_tls.py::test_an_authority_that_nobody_knows",
    ),
    "N05": _whole("reset before a job's creation has arrived", "created again"),
    "N06": _whole(
        "reset behind a job's creation", "created again; the first one stays open and empty", orphans=1
    ),
    "N07": _whole("reset in the middle of an upload", "job aborted, rows in another", given_up=1),
    "N08": _whole("reset behind an upload", "job aborted, rows in another", given_up=1),
    "N09": _whole("the answer to the close is lost", "the same job is asked about, no second one"),
    "N10": _whole("the close arrives ten minutes late", "refused by the org, same job"),
    "N11": _whole(
        "the upload arrives ten minutes late", "refused by the org: its job is aborted", given_up=1
    ),
    "N12": _whole("a download ends behind a row", "counted, and fetched again"),
    "N13": _whole("a download ends inside a quote", "does not parse, and is fetched again"),
    "N14": _whole("a download ends inside its gzip stream", "does not unpack, and is fetched again"),
    "N15": _whole(
        "10 KB a second",
        "waited for as long as bytes move",
        shown=("tests/faults/test_network.py::test_a_slow_download_is_waited_for_as_long_as_bytes_move",),
    ),
    "N16": _whole(
        "taken, and silence for an hour",
        "given up after idling, in doubt",
        shown=("tests/faults/test_network.py::test_an_answer_that_never_comes_is_given_up_after_idling",),
    ),
    "N17": _whole("answers byte by byte", "read all the same"),
    "N18": _whole("a creation is delivered twice", "one job known, one open orphan", orphans=1),
    "N19": _whole("an upload is delivered twice", "the org will not close it: aborted, rows in another"),
    "N20": _whole(
        "a proxy answers with its own page",
        "never taken for an answer; paused",
        codes=(75, 0),
        reason="proxy-answer",
    ),
    "N21": _whole(
        "a kept connection ends",
        "reads repeated, writes in doubt",
        shown=("tests/faults/test_network.py::test_a_kept_connection_that_ends",),
    ),
    "N22": _whole("some answers hang", "the others go on"),
}

ANSWERS = {
    "H01": _whole("the session ends while a job is polled", "renewed once, asked again"),
    "H02": _whole("the session ends at an upload", "renewed, and the upload is in doubt", given_up=1),
    "H03": _whole("the session ends between pages", "renewed, the same page again", at_source=True),
    "H04": Fault(
        "nobody can sign in again",
        "pause: a person signs in, then resume",
        Script(End.STOPPED, (75, 75), "sign-in-failed", drives=2),
    ),
    "H05": _whole(
        "the day's requests are used up",
        "paused at once when a run begins, waited out within",
        codes=(75, 0),
        reason="request-limit-exceeded",
    ),
    "H06": Fault(
        "the API is off for the user",
        "refused, no retry",
        Script(End.STOPPED, (3, 3), "access-denied", drives=2),
    ),
    "H07": _shown(
        "429 with Retry-After",
        "honoured within measure",
        REQUESTS + "test_retry_after_is_honoured_within_measure",
    ),
    "H08": _whole("500, 502, 503, 504 to reads", "repeated"),
    "H09": _whole("503 behind an upload and behind a close", "each resolved by its state", given_up=1),
    "H10": _shown(
        "an upsert finds several records",
        "the row fails with its code; the key is said not to be unique",
        EXISTING + "test_a_key_that_several_records_have_fails_its_row_and_is_told",
        EXISTING + "test_multiple_choices_over_rest_cost_the_row_that_has_them_and_no_other",
    ),
    "H11": Fault(
        "results refused to this API version",
        "stops and says which version the run keeps",
        Script(End.STOPPED, (3, 3), "api-version-refused", drives=2),
    ),
    "H12": _whole("a job is deleted by an administrator", "its rows are looked up in the target"),
    "H13": _whole("results are past seven days", "their rows are looked up in the target"),
    "H14": _whole(
        "results are empty although counters are not",
        "fetched again",
        shown=("tests/faults/test_catalogue.py::test_results_that_never_add_up_are_looked_up_in_the_target",),
    ),
    "H15": _whole("counters move after the end", "asked until they are the same twice"),
    "H16": _whole(
        "a job state of a later release",
        "not taken for an end",
        shown=(
            OUTAGES + "test_a_job_state_that_nobody_knows_is_waited_for_an_hour_and_never_taken_for_an_end",
        ),
    ),
    "H17": _whole("an open job is aborted by somebody", "it did nothing: rows in another"),
    "H18": _whole("a job at work is aborted", "done rows stay, the others travel again"),
    "H19": Fault(
        "the same, and its results are refused",
        "rows in doubt",
        Script(End.DOUBT, (4,), "rows-quarantined", drives=1),
    ),
    "H20": _whole(
        "a job fails for its header",
        "nothing done; the run stops after one job",
        codes=(3, 0),
        reason="job-refused",
    ),
    "H21": Fault(
        "a job meets locks until it fails",
        "tried again in ever smaller measures, then refused",
        Script(End.REFUSED, (1,)),
    ),
    "H22": _whole(
        "batches beyond the daily allowance have no results",
        "rows that have one keep it, the others are looked up, never sent again on a guess",
        shown=(
            UNRECORDED + "test_rows_without_a_recorded_result_are_looked_up_and_the_others_keep_theirs",
            UNRECORDED + "test_rows_without_a_recorded_result_that_have_a_key_are_sent_again",
        ),
    ),
    "H23": _whole(
        "the day's records are used up",
        "waits until the window has moved, trying every hour; pauses where it is not to wait",
        given_up=ANY,
        event="allowance-spent",
        shown=(
            "tests/executor/test_allowances.py::test_the_days_records_are_waited_for",
            "tests/executor/test_allowances.py::test_a_run_that_is_not_to_wait_pauses",
        ),
    ),
    "H24": Fault(
        "the org has no room for data",
        "the object stops at once",
        Script(End.REFUSED, (4,), "storage-full", drives=1),
    ),
    "H25": _whole(
        "a job waits for six hours",
        "waited for, never sent again",
        event="job-not-moving",
        shown=(OUTAGES + "test_a_job_that_does_not_move_is_told_each_hour_and_not_sent_again",),
    ),
    "H26": _whole("result rows in another order", "known by their content"),
    "H27": _whole(
        "a row comes twice in the results",
        "does not add up, fetched again",
        shown=("tests/faults/test_catalogue.py::test_results_that_never_add_up_are_looked_up_in_the_target",),
    ),
    "H28": _whole(
        "a row is in two result sets",
        "does not add up, fetched again",
        shown=("tests/faults/test_catalogue.py::test_results_that_never_add_up_are_looked_up_in_the_target",),
    ),
    "H29": _whole(
        "ids of another sObject, or of 15 characters",
        "refused by their prefix; completed",
        presets=("H29", "H29b"),
        shown=("tests/faults/test_catalogue.py::test_results_that_never_add_up_are_looked_up_in_the_target",),
    ),
    "H30": Fault(
        "the pages of a query go round in circles",
        "noticed, asked anew, then a pause",
        Script(End.STOPPED, (75, 75), "query-keeps-failing", at_source=True, drives=2),
    ),
    "H31": _whole("a page has other rows than it says", "fetched again", at_source=True),
    "H32": Fault(
        "some rows of a request are refused", "an outcome for each row", Script(End.REFUSED, (1,), rest=True)
    ),
    "H33": _whole(
        "a composite request is carried out late", "only what may be repeated travels so", rest=True
    ),
    "H34": Fault(
        "the org has moved",
        "told, nothing is sent elsewhere",
        Script(End.STOPPED, (3, 3), "instance-moved", drives=2),
    ),
    "H35": _shown(
        "a used field is gone before its step",
        "the step does not begin; the list",
        REVIEWED + "test_an_org_that_changed_stops_the_step_before_it_writes",
    ),
    "H36": _whole("the user may not see limits", "goes on without them"),
    "H37": _shown(
        "a serial batch fails for too many locks",
        "down the ladder of measures",
        "tests/executor/test_locks.py::test_locked_rows_end_in_serial_batches",
    ),
    "H38": _shown(
        "a batch of Bulk API v1 in doubt",
        "the job is closed and looked at",
        "tests/executor/test_locks.py::test_the_serial_lane_neither_loses_nor_doubles",
    ),
    "H39": _whole(
        "503 to everything for two hours",
        "pauses, and goes on afterwards",
        codes=(75, 0),
        reason="org-unavailable",
        between=7_300.0,
    ),
    "H40": Fault(
        "a trigger refuses whole transactions", "an outcome for each row", Script(End.REFUSED, (1,))
    ),
}

ROWS = {
    "D01": _whole("a tenth of the rows meet locks once", "tried again"),
    "D02": Fault("some rows meet locks always", "refused after the last round", Script(End.REFUSED, (1,))),
    "D03": Fault(
        "parents are refused",
        "their children are blocked, never sent without them",
        Script(End.REFUSED, (1,)),
    ),
    "D04": _shown(
        "a source record is deleted between its extract and its load",
        "skipped, with a code; a source that is to be frozen stops the step",
        MOVING + "test_what_changed_since_it_was_read_is_taken_over_and_what_was_deleted_is_skipped",
        MOVING + "test_a_frozen_source_that_moved_is_told_before_the_step_sends_anything",
    ),
    "D05": _shown(
        "a source record changes after the extract",
        "taken over; of a source that is to be frozen it is told, with numbers",
        MOVING + "test_what_changed_since_it_was_read_is_taken_over_and_what_was_deleted_is_skipped",
        MOVING + "test_a_frozen_source_that_moved_is_told_before_the_step_sends_anything",
        MOVING + "test_a_source_that_does_not_move_is_loaded_as_ever",
    ),
    "D06": _shown(
        "somebody edits loaded records",
        "verify shows it; another run overwrites what it maps and nothing else",
        EXISTING + "test_another_run_overwrites_what_it_maps_and_nothing_else",
    ),
    "D07": _shown(
        "a key is in the target already, of a record with another owner",
        "updated; with `on_existing: fail` the row fails and the record stays",
        EXISTING + "test_a_key_that_is_there_already_is_updated_whoever_owns_it",
        EXISTING + "test_on_existing_fail_leaves_the_record_alone_and_the_row_fails",
    ),
    "D08": _shown(
        "identical rows without a key",
        "all there, and said so",
        DATA + "test_identical_rows_without_a_key_are_all_there",
    ),
    "D09": _shown(
        "awkward texts", "byte for byte; NUL refused by row", DATA + "test_awkward_texts_arrive_as_they_are"
    ),
    "D10": _shown(
        "self references", "a second pass, which survives kills", KILL + "test_killed_at_each_named_point"
    ),
    "D11": _shown("a cycle over two objects", "the same", KILL + "test_killed_at_each_named_point"),
    "D12": _shown(
        "a record type that the target lacks",
        "refused; a canary stops the bulk",
        "tests/executor/test_error_policy.py::test_a_bad_canary_stops_before_the_bulk",
    ),
    "D13": _shown(
        "an object without rows", "done, no job", DATA + "test_an_object_without_rows_is_done_at_once"
    ),
    "D14": _shown("10,001 rows", "all accounted for", DATA + "test_ten_thousand_and_one_rows"),
}

PROCESS = {
    "P01": _shown(
        "kill -9 at each named point",
        "nothing lost or doubled",
        KILL + "test_killed_at_each_named_point",
        SWEEP + "test_a_crash_at_every_point",
    ),
    "P02": _shown(
        "kill -9 at random instants", "nothing lost or doubled", KILL + "test_killed_at_random_instants"
    ),
    "P03": _shown(
        "kill -9 while resuming, again and again",
        "the same, with progress",
        KILL + "test_killed_at_random_instants",
        SWEEP + "test_crashes_at_two_points",
    ),
    "P04": _shown(
        "Ctrl-C",
        "in order, exit code 130",
        COMMANDS + "test_one_interrupt_stops_in_order_and_resume_completes",
    ),
    "P05": _shown(
        "Ctrl-C twice",
        "at once, nothing lost or doubled",
        "tests/simulation/test_processes.py::test_two_interrupts_end_at_once",
    ),
    "P06": _shown(
        "stopped while another takes the run",
        "refused at its next commit",
        LEDGERS + "test_a_run_is_taken_from_a_process_that_hangs",
    ),
    "P07": _shown("killed for want of memory", "as kill -9", KILL + "test_killed_at_random_instants"),
    "P08": _shown(
        "two processes, one run",
        "the second is told who is first",
        LEDGERS + "test_a_second_process_is_told_who_has_the_run",
    ),
    "P09": _shown(
        "two state folders, one object",
        "noticed before anything is sent",
        DOCTOR + "test_another_writer_is_noticed_before_anything_is_sent",
    ),
    "P10": _shown(
        "a bug in a worker",
        "the run stops, a redacted log, resumable",
        "tests/simulation/test_processes.py::test_a_bug_in_a_worker",
    ),
    "P11": _shown(
        "threads wait for each other",
        "after ten minutes in which nothing moves: stacks in a file, paused",
        "tests/simulation/test_watchdog.py::test_a_worker_that_waits_for_ever",
        "tests/simulation/test_watchdog.py::test_whatever_moves_is_no_standstill",
        "tests/simulation/test_watchdog.py::test_a_process_that_does_not_end_in_order_is_ended",
    ),
    "P12": _shown(
        "64 open files; a reader that goes away",
        "works, or pauses whole",
        "tests/simulation/test_processes.py::test_few_open_files",
        COMMANDS + "test_a_reader_that_goes_away_ends_no_run_with_a_traceback",
    ),
}

STATE = {
    "K01": _shown(
        "no room for a file", "pause before anything is intended", DISK + "test_no_room_at_any_file"
    ),
    "K02": _shown(
        "no room for a commit behind an effect",
        "resolved by the state that is there",
        DISK + "test_no_commit_at_any_point",
    ),
    "K03": _shown(
        "a page of the ledger cannot be read",
        "damage, nothing is written",
        STORAGE + "test_what_the_disk_does_not_give_back_is_damage",
    ),
    "K04": _shown(
        "the disk turns read-only",
        "pause",
        DISK + "test_no_commit_at_any_point",
        "tests/unit/data/test_workspace.py::test_a_disk_that_fails_is_a_pause",
    ),
    "K05": _shown(
        "what was not synced is gone or torn",
        "the last answered commit is there",
        DISK + "test_unsynced_bytes_of_the_log_dropped_or_torn",
    ),
    "K06": _shown(
        "the write-ahead log is lost", "noticed", STORAGE + "test_a_write_ahead_log_that_was_lost_is_noticed"
    ),
    "K07": _shown(
        "one flipped bit",
        "noticed, the file named",
        STORAGE + "test_one_flipped_bit_is_noticed_wherever_it_is",
        "tests/unit/data/test_workspace.py::test_a_damaged_file_is_named",
    ),
    "K08": _shown(
        "the state folder is removed in the middle",
        "nothing more is sent",
        STORAGE + "test_a_state_that_vanished_is_not_written_on",
    ),
    "K09": _shown(
        "yesterday's backup",
        "refused, jobs named",
        LEDGERS + "test_a_restored_ledger_is_refused_and_nothing_is_sent",
        DOCTOR + "test_a_ledger_from_before_its_jobs_is_refused",
    ),
    "K10": _shown(
        "a network file system",
        "refused, with the way out",
        STORAGE + "test_the_file_system_of_a_folder_is_known",
    ),
    "K11": _shown(
        "a failover that lost commits", "noticed", POSTGRES + "test_a_failover_that_lost_commits_is_noticed"
    ),
    "K12": _shown(
        "the database goes away in a commit",
        "looked up, done once",
        POSTGRES + "test_a_commit_whose_answer_is_lost_is_not_made_twice",
        POSTGRES + "test_a_server_that_is_gone_pauses_the_run",
    ),
}

CLOCKS = {
    "T01": _shown(
        "the wall clock jumps",
        "waits are not touched, no lease is lost",
        "tests/simulation/test_processes.py::test_a_wall_clock_that_jumps",
    ),
    "T02": _shown(
        "the clocks differ by ten minutes", "refused, both times told", DOCTOR + "test_clocks_that_differ"
    ),
    "T03": _shown(
        "daylight saving begins, or ends",
        "the same log and the same values",
        "tests/simulation/test_processes.py::test_daylight_saving_changes_nothing",
    ),
    "T04": _shown(
        "the machine sleeps for hours",
        "the lease is lost or kept, nothing else",
        POSTGRES + "test_a_heartbeat_that_came_too_late_stops_the_writer",
        OUTAGES + "test_a_machine_that_sleeps_for_nine_hours_goes_on",
    ),
    "T05": _shown(
        "a run of eight days",
        "results that wait are told, from the fifth day on as urgent; when they are gone their rows are looked up",
        DOCTOR + "test_what_is_not_well",
        OUTAGES + "test_results_that_waited_for_days_are_told_and_their_rows_looked_up_when_they_are_gone",
    ),
}

PEOPLE = {
    "U01": _shown(
        "source and target swapped", "refused", COMMANDS + "test_another_org_behind_an_alias_is_refused"
    ),
    "U02": _shown(
        "the plan is edited under a run",
        "held against what has begun",
        REVIEWED + "test_what_has_begun_never_changes",
    ),
    "U03": _shown(
        "another lock arrives by git",
        "refused, every field",
        REVIEWED + "test_a_locked_plan_runs_only_as_it_was_locked",
    ),
    "U04": _shown(
        "loaded records are deleted",
        "their children are refused; verify finds them missing",
        COMMANDS + "test_verify_finds_what_was_changed_and_what_is_gone",
        RESETS + "test_records_that_somebody_deleted_are_no_reset",
    ),
    "U05": Fault("the user is deactivated", "pause", Script(End.STOPPED, (75, 75), "signed-out", drives=2)),
    "U06": _shown(
        "a validation rule is switched on",
        "the budget stops the object",
        "tests/executor/test_error_policy.py::test_an_object_over_its_budget_is_held_and_so_are_its_children_but_not_the_others",
    ),
    "U07": _whole(
        "all jobs are aborted",
        "done rows stay, the others travel again; three in a row pause",
        shown=("tests/executor/test_error_policy.py::test_three_jobs_in_a_row_that_end_badly_stop_the_run",),
    ),
    "U08": _shown(
        "undo of a run that updated",
        "only what it created, the rest is listed",
        "tests/executor/test_undo.py::test_without_a_word_updates_stay_and_are_listed",
    ),
    "U09": _shown(
        "a run is taken by force from a living process",
        "that one can write no more",
        LEDGERS + "test_a_run_is_taken_from_a_process_that_hangs",
    ),
    "U10": _shown(
        "a copied state folder",
        "the ledger that stayed behind is refused",
        DOCTOR + "test_a_ledger_from_before_its_jobs_is_refused",
    ),
    "U11": _shown(
        "the sandbox is refreshed under a run",
        "another id, or records that are gone: the run does not go on",
        RESETS + "test_a_sandbox_that_was_refreshed_is_noticed_by_records_that_are_gone",
        RESETS + "test_a_sandbox_with_another_id_is_refused_at_once",
        "tests/executor/test_catalogue.py::test_a_run_under_a_fault",
    ),
}

FAULTS: Mapping[str, Fault] = {**NETWORK, **ANSWERS, **ROWS, **PROCESS, **STATE, **CLOCKS, **PEOPLE}


def covered() -> list[str]:
    """The faults that some test shows."""
    return [name for name, one in FAULTS.items() if one.script is not None or one.shown]


def uncovered() -> list[str]:
    """The others."""
    return [name for name in FAULTS if name not in set(covered())]


def told() -> list[str]:
    """What the end of a test run says of it."""
    missing = uncovered()
    lines = [f"{len(FAULTS) - len(missing)} of {len(FAULTS)} faults are covered"]
    return lines + [f"not yet covered: {name} {FAULTS[name].what}" for name in missing]
