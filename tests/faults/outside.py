"""Faults between here and the org, of its answers, and of its rows."""

from tests.faults.entries import ANY, End, Fault, Script, shown, whole

REQUESTS = "tests/unit/salesforce/test_requests.py::"
SOCKETS = "tests/unit/salesforce/test_sockets.py::"
KILL = "tests/resume/test_kill.py::"
REVIEWED = "tests/cli/test_reviewed.py::"
DATA = "tests/cli/test_data.py::"
OUTAGES = "tests/executor/test_outages.py::"
UNRECORDED = "tests/executor/test_unrecorded.py::"
MOVING = "tests/executor/test_moving_source.py::"
EXISTING = "tests/executor/test_existing.py::"

NETWORK = {
    "N01": shown(
        "the host has no address when a run begins",
        "pause, the host named, nothing written",
        SOCKETS + "test_an_unknown_host",
        OUTAGES + "test_no_address_when_a_run_begins_pauses_and_names_the_host",
    ),
    "N02": shown(
        "the same for ten minutes of a run",
        "tried again at random moments, goes on by itself; an hour is a pause",
        OUTAGES + "test_no_address_for_ten_minutes_of_a_run_is_waited_out",
        OUTAGES + "test_pauses_between_tries_are_spread_out",
        OUTAGES + "test_no_address_for_an_hour_pauses_the_run_which_goes_on_afterwards",
    ),
    "N03": shown(
        "nobody listens", "certainly not sent: any request may be repeated", SOCKETS + "test_nobody_listens"
    ),
    "N04": shown(
        "a certificate that is not good",
        "no retry, no way around it",
        SOCKETS + "test_a_server_without_a_trusted_certificate",
        "tests/unit/salesforce/test_tls.py::test_an_authority_that_nobody_knows",
    ),
    "N05": whole("reset before a job's creation has arrived", "created again"),
    "N06": whole(
        "reset behind a job's creation", "created again; the first one stays open and empty", orphans=1
    ),
    "N07": whole("reset in the middle of an upload", "job aborted, rows in another", given_up=1),
    "N08": whole("reset behind an upload", "job aborted, rows in another", given_up=1),
    "N09": whole("the answer to the close is lost", "the same job is asked about, no second one"),
    "N10": whole("the close arrives ten minutes late", "refused by the org, same job"),
    "N11": whole("the upload arrives ten minutes late", "refused by the org: its job is aborted", given_up=1),
    "N12": whole("a download ends behind a row", "counted, and fetched again"),
    "N13": whole("a download ends inside a quote", "does not parse, and is fetched again"),
    "N14": whole("a download ends inside its gzip stream", "does not unpack, and is fetched again"),
    "N15": whole(
        "10 KB a second",
        "waited for as long as bytes move",
        shown=("tests/faults/test_network.py::test_a_slow_download_is_waited_for_as_long_as_bytes_move",),
    ),
    "N16": whole(
        "taken, and silence for an hour",
        "given up after idling, in doubt",
        shown=("tests/faults/test_network.py::test_an_answer_that_never_comes_is_given_up_after_idling",),
    ),
    "N17": whole("answers byte by byte", "read all the same"),
    "N18": whole("a creation is delivered twice", "one job known, one open orphan", orphans=1),
    "N19": whole("an upload is delivered twice", "the org will not close it: aborted, rows in another"),
    "N20": whole(
        "a proxy answers with its own page",
        "never taken for an answer; paused",
        codes=(75, 0),
        reason="proxy-answer",
    ),
    "N21": whole(
        "a kept connection ends",
        "reads repeated, writes in doubt",
        shown=("tests/faults/test_network.py::test_a_kept_connection_that_ends",),
    ),
    "N22": whole("some answers hang", "the others go on"),
}

ANSWERS = {
    "H01": whole("the session ends while a job is polled", "renewed once, asked again"),
    "H02": whole("the session ends at an upload", "renewed, and the upload is in doubt", given_up=1),
    "H03": whole("the session ends between pages", "renewed, the same page again", at_source=True),
    "H04": Fault(
        "nobody can sign in again",
        "pause: a person signs in, then resume",
        Script(End.STOPPED, (75, 75), "sign-in-failed", drives=2),
    ),
    "H05": whole(
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
    "H07": shown(
        "429 with Retry-After",
        "honoured within measure",
        REQUESTS + "test_retry_after_is_honoured_within_measure",
    ),
    "H08": whole("500, 502, 503, 504 to reads", "repeated"),
    "H09": whole("503 behind an upload and behind a close", "each resolved by its state", given_up=1),
    "H10": shown(
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
    "H12": whole("a job is deleted by an administrator", "its rows are looked up in the target"),
    "H13": whole("results are past seven days", "their rows are looked up in the target"),
    "H14": whole(
        "results are empty although counters are not",
        "fetched again",
        shown=("tests/faults/test_catalogue.py::test_results_that_never_add_up_are_looked_up_in_the_target",),
    ),
    "H15": whole("counters move after the end", "asked until they are the same twice"),
    "H16": whole(
        "a job state of a later release",
        "not taken for an end",
        shown=(
            OUTAGES + "test_a_job_state_that_nobody_knows_is_waited_for_an_hour_and_never_taken_for_an_end",
        ),
    ),
    "H17": whole("an open job is aborted by somebody", "it did nothing: rows in another"),
    "H18": whole("a job at work is aborted", "done rows stay, the others travel again"),
    "H19": Fault(
        "the same, and its results are refused",
        "rows in doubt",
        Script(End.DOUBT, (4,), "rows-quarantined", drives=1),
    ),
    "H20": whole(
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
    "H22": whole(
        "batches beyond the daily allowance have no results",
        "rows that have one keep it, the others are looked up, never sent again on a guess",
        shown=(
            UNRECORDED + "test_rows_without_a_recorded_result_are_looked_up_and_the_others_keep_theirs",
            UNRECORDED + "test_rows_without_a_recorded_result_that_have_a_key_are_sent_again",
        ),
    ),
    "H23": whole(
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
    "H25": whole(
        "a job waits for six hours",
        "waited for, never sent again",
        event="job-not-moving",
        shown=(OUTAGES + "test_a_job_that_does_not_move_is_told_each_hour_and_not_sent_again",),
    ),
    "H26": whole("result rows in another order", "known by their content"),
    "H27": whole(
        "a row comes twice in the results",
        "does not add up, fetched again",
        shown=("tests/faults/test_catalogue.py::test_results_that_never_add_up_are_looked_up_in_the_target",),
    ),
    "H28": whole(
        "a row is in two result sets",
        "does not add up, fetched again",
        shown=("tests/faults/test_catalogue.py::test_results_that_never_add_up_are_looked_up_in_the_target",),
    ),
    "H29": whole(
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
    "H31": whole("a page has other rows than it says", "fetched again", at_source=True),
    "H32": Fault(
        "some rows of a request are refused", "an outcome for each row", Script(End.REFUSED, (1,), rest=True)
    ),
    "H33": whole(
        "a composite request is carried out late", "only what may be repeated travels so", rest=True
    ),
    "H34": Fault(
        "the org has moved",
        "told, nothing is sent elsewhere",
        Script(End.STOPPED, (3, 3), "instance-moved", drives=2),
    ),
    "H35": shown(
        "a used field is gone before its step",
        "the step does not begin; the list",
        REVIEWED + "test_an_org_that_changed_stops_the_step_before_it_writes",
    ),
    "H36": whole("the user may not see limits", "goes on without them"),
    "H37": shown(
        "a serial batch fails for too many locks",
        "down the ladder of measures",
        "tests/executor/test_locks.py::test_locked_rows_end_in_serial_batches",
    ),
    "H38": shown(
        "a batch of Bulk API v1 in doubt",
        "the job is closed and looked at",
        "tests/executor/test_locks.py::test_the_serial_lane_neither_loses_nor_doubles",
    ),
    "H39": whole(
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
    "D01": whole("a tenth of the rows meet locks once", "tried again"),
    "D02": Fault("some rows meet locks always", "refused after the last round", Script(End.REFUSED, (1,))),
    "D03": Fault(
        "parents are refused",
        "their children are blocked, never sent without them",
        Script(End.REFUSED, (1,)),
    ),
    "D04": shown(
        "a source record is deleted between its extract and its load",
        "skipped, with a code; a source that is to be frozen stops the step",
        MOVING + "test_what_changed_since_it_was_read_is_taken_over_and_what_was_deleted_is_skipped",
        MOVING + "test_a_frozen_source_that_moved_is_told_before_the_step_sends_anything",
    ),
    "D05": shown(
        "a source record changes after the extract",
        "taken over; of a source that is to be frozen it is told, with numbers",
        MOVING + "test_what_changed_since_it_was_read_is_taken_over_and_what_was_deleted_is_skipped",
        MOVING + "test_a_frozen_source_that_moved_is_told_before_the_step_sends_anything",
        MOVING + "test_a_source_that_does_not_move_is_loaded_as_ever",
    ),
    "D06": shown(
        "somebody edits loaded records",
        "verify shows it; another run overwrites what it maps and nothing else",
        EXISTING + "test_another_run_overwrites_what_it_maps_and_nothing_else",
    ),
    "D07": shown(
        "a key is in the target already, of a record with another owner",
        "updated; with `on_existing: fail` the row fails and the record stays",
        EXISTING + "test_a_key_that_is_there_already_is_updated_whoever_owns_it",
        EXISTING + "test_on_existing_fail_leaves_the_record_alone_and_the_row_fails",
    ),
    "D08": shown(
        "identical rows without a key",
        "all there, and said so",
        DATA + "test_identical_rows_without_a_key_are_all_there",
    ),
    "D09": shown(
        "awkward texts", "byte for byte; NUL refused by row", DATA + "test_awkward_texts_arrive_as_they_are"
    ),
    "D10": shown(
        "self references", "a second pass, which survives kills", KILL + "test_killed_at_each_named_point"
    ),
    "D11": shown("a cycle over two objects", "the same", KILL + "test_killed_at_each_named_point"),
    "D12": shown(
        "a record type that the target lacks",
        "refused; a canary stops the bulk",
        "tests/executor/test_error_policy.py::test_a_bad_canary_stops_before_the_bulk",
    ),
    "D13": shown(
        "an object without rows", "done, no job", DATA + "test_an_object_without_rows_is_done_at_once"
    ),
    "D14": shown("10,001 rows", "all accounted for", DATA + "test_ten_thousand_and_one_rows"),
}
