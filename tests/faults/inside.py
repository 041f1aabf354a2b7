"""Faults of processes, of the state on disk and in PostgreSQL, of clocks, and of people."""

from tests.faults.entries import End, Fault, Script, shown, whole

STORAGE = "tests/unit/state/test_storage.py::"
POSTGRES = "tests/unit/state/test_postgres.py::"
KILL = "tests/resume/test_kill.py::"
LEDGERS = "tests/cli/test_ledgers.py::"
DOCTOR = "tests/cli/test_doctor.py::"
REVIEWED = "tests/cli/test_reviewed.py::"
COMMANDS = "tests/cli/test_commands.py::"
SWEEP = "tests/simulation/test_crashes.py::"
OUTAGES = "tests/executor/test_outages.py::"
RESETS = "tests/executor/test_resets.py::"
DISK = "tests/simulation/test_disk.py::"

PROCESS = {
    "P01": shown(
        "kill -9 at each named point",
        "nothing lost or doubled",
        KILL + "test_killed_at_each_named_point",
        SWEEP + "test_a_crash_at_every_point",
    ),
    "P02": shown(
        "kill -9 at random instants", "nothing lost or doubled", KILL + "test_killed_at_random_instants"
    ),
    "P03": shown(
        "kill -9 while resuming, again and again",
        "the same, with progress",
        KILL + "test_killed_at_random_instants",
        SWEEP + "test_crashes_at_two_points",
    ),
    "P04": shown(
        "Ctrl-C",
        "in order, exit code 130",
        COMMANDS + "test_one_interrupt_stops_in_order_and_resume_completes",
    ),
    "P05": shown(
        "Ctrl-C twice",
        "at once, nothing lost or doubled",
        "tests/simulation/test_processes.py::test_two_interrupts_end_at_once",
    ),
    "P06": shown(
        "stopped while another takes the run",
        "refused at its next commit",
        LEDGERS + "test_a_run_is_taken_from_a_process_that_hangs",
    ),
    "P07": shown("killed for want of memory", "as kill -9", KILL + "test_killed_at_random_instants"),
    "P08": shown(
        "two processes, one run",
        "the second is told who is first",
        LEDGERS + "test_a_second_process_is_told_who_has_the_run",
    ),
    "P09": shown(
        "two state folders, one object",
        "noticed before anything is sent",
        DOCTOR + "test_another_writer_is_noticed_before_anything_is_sent",
    ),
    "P10": shown(
        "a bug in a worker",
        "the run stops, a redacted log, resumable",
        "tests/simulation/test_processes.py::test_a_bug_in_a_worker",
    ),
    "P11": shown(
        "threads wait for each other",
        "after ten minutes in which nothing moves: stacks in a file, paused",
        "tests/simulation/test_watchdog.py::test_a_worker_that_waits_for_ever",
        "tests/simulation/test_watchdog.py::test_whatever_moves_is_no_standstill",
        "tests/simulation/test_watchdog.py::test_a_process_that_does_not_end_in_order_is_ended",
    ),
    "P12": shown(
        "64 open files; a reader that goes away",
        "works, or pauses whole",
        "tests/simulation/test_processes.py::test_few_open_files",
        COMMANDS + "test_a_reader_that_goes_away_ends_no_run_with_a_traceback",
    ),
}

STATE = {
    "K01": shown(
        "no room for a file", "pause before anything is intended", DISK + "test_no_room_at_any_file"
    ),
    "K02": shown(
        "no room for a commit behind an effect",
        "resolved by the state that is there",
        DISK + "test_no_commit_at_any_point",
    ),
    "K03": shown(
        "a page of the ledger cannot be read",
        "damage, nothing is written",
        STORAGE + "test_what_the_disk_does_not_give_back_is_damage",
    ),
    "K04": shown(
        "the disk turns read-only",
        "pause",
        DISK + "test_no_commit_at_any_point",
        "tests/unit/data/test_workspace.py::test_a_disk_that_fails_is_a_pause",
    ),
    "K05": shown(
        "what was not synced is gone or torn",
        "the last answered commit is there",
        DISK + "test_unsynced_bytes_of_the_log_dropped_or_torn",
    ),
    "K06": shown(
        "the write-ahead log is lost", "noticed", STORAGE + "test_a_write_ahead_log_that_was_lost_is_noticed"
    ),
    "K07": shown(
        "one flipped bit",
        "noticed, the file named",
        STORAGE + "test_one_flipped_bit_is_noticed_wherever_it_is",
        "tests/unit/data/test_workspace.py::test_a_damaged_file_is_named",
    ),
    "K08": shown(
        "the state folder is removed in the middle",
        "nothing more is sent",
        STORAGE + "test_a_state_that_vanished_is_not_written_on",
    ),
    "K09": shown(
        "yesterday's backup",
        "refused, jobs named",
        LEDGERS + "test_a_restored_ledger_is_refused_and_nothing_is_sent",
        DOCTOR + "test_a_ledger_from_before_its_jobs_is_refused",
    ),
    "K10": shown(
        "a network file system",
        "refused, with the way out",
        STORAGE + "test_the_file_system_of_a_folder_is_known",
    ),
    "K11": shown(
        "a failover that lost commits", "noticed", POSTGRES + "test_a_failover_that_lost_commits_is_noticed"
    ),
    "K12": shown(
        "the database goes away in a commit",
        "looked up, done once",
        POSTGRES + "test_a_commit_whose_answer_is_lost_is_not_made_twice",
        POSTGRES + "test_a_server_that_is_gone_pauses_the_run",
    ),
}

CLOCKS = {
    "T01": shown(
        "the wall clock jumps",
        "waits are not touched, no lease is lost",
        "tests/simulation/test_processes.py::test_a_wall_clock_that_jumps",
    ),
    "T02": shown(
        "the clocks differ by ten minutes", "refused, both times told", DOCTOR + "test_clocks_that_differ"
    ),
    "T03": shown(
        "daylight saving begins, or ends",
        "the same log and the same values",
        "tests/simulation/test_processes.py::test_daylight_saving_changes_nothing",
    ),
    "T04": shown(
        "the machine sleeps for hours",
        "the lease is lost or kept, nothing else",
        POSTGRES + "test_a_heartbeat_that_came_too_late_stops_the_writer_whose_lease_was_taken",
        OUTAGES + "test_a_machine_that_sleeps_for_nine_hours_goes_on",
    ),
    "T05": shown(
        "a run of eight days",
        "results that wait are told, from the fifth day on as urgent; when they are gone their rows are looked up",
        DOCTOR + "test_what_is_not_well",
        OUTAGES + "test_results_that_waited_for_days_are_told_and_their_rows_looked_up_when_they_are_gone",
    ),
}

PEOPLE = {
    "U01": shown(
        "source and target swapped", "refused", COMMANDS + "test_another_org_behind_an_alias_is_refused"
    ),
    "U02": shown(
        "the plan is edited under a run",
        "held against what has begun",
        REVIEWED + "test_what_has_begun_never_changes",
    ),
    "U03": shown(
        "another lock arrives by git",
        "refused, every field",
        REVIEWED + "test_a_locked_plan_runs_only_as_it_was_locked",
    ),
    "U04": shown(
        "loaded records are deleted",
        "their children are refused; verify finds them missing",
        COMMANDS + "test_verify_finds_what_was_changed_and_what_is_gone",
        RESETS + "test_records_that_somebody_deleted_are_no_reset",
    ),
    "U05": Fault("the user is deactivated", "pause", Script(End.STOPPED, (75, 75), "signed-out", drives=2)),
    "U06": shown(
        "a validation rule is switched on",
        "the budget stops the object",
        "tests/executor/test_error_policy.py::test_an_object_over_its_budget_is_held_and_so_are_its_children_but_not_the_others",
    ),
    "U07": whole(
        "all jobs are aborted",
        "done rows stay, the others travel again; three in a row pause",
        shown=("tests/executor/test_error_policy.py::test_three_jobs_in_a_row_that_end_badly_stop_the_run",),
    ),
    "U08": shown(
        "undo of a run that updated",
        "only what it created, the rest is listed",
        "tests/executor/test_undo.py::test_without_a_word_updates_stay_and_are_listed",
    ),
    "U09": shown(
        "a run is taken by force from a living process",
        "that one can write no more",
        LEDGERS + "test_a_run_is_taken_from_a_process_that_hangs",
    ),
    "U10": shown(
        "a copied state folder",
        "the ledger that stayed behind is refused",
        DOCTOR + "test_a_ledger_from_before_its_jobs_is_refused",
    ),
    "U11": shown(
        "the sandbox is refreshed under a run",
        "another id, or records that are gone: the run does not go on",
        RESETS + "test_a_sandbox_that_was_refreshed_is_noticed_by_records_that_are_gone",
        RESETS + "test_a_sandbox_with_another_id_is_refused_at_once",
        "tests/executor/test_catalogue.py::test_a_run_under_a_fault",
    ),
}
