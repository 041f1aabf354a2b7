"""Salesforce's JSON forms, and forms that are none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.model.wire import JobState, Limit, RowFault
from migrator.salesforce.wire import (
    Malformed,
    RowReply,
    parse_error,
    parse_job_info,
    parse_limits,
    parse_list_page,
    parse_names,
    parse_row_replies,
    parse_time,
)

OPEN = {
    "id": "750ak000009BWKLAA4",
    "operation": "upsert",
    "object": "Opportunity",
    "createdDate": "2024-09-09T19:25:27.000+0000",
    "state": "Open",
    "apiVersion": 60.0,
    "contentUrl": "services/data/v60.0/jobs/ingest/750ak000009BWKLAA4/batches",
}
DONE = OPEN | {
    "systemModstamp": "2024-09-09T19:25:36.000+0000",
    "state": "JobComplete",
    "numberRecordsProcessed": 8,
    "numberRecordsFailed": 1,
    "retries": 2,
    "totalProcessingTime": 478,
}


def test_a_job_as_created() -> None:
    job = parse_job_info(OPEN)
    assert (job.id, job.state, job.object, job.operation) == (
        "750ak000009BWKLAA4",
        JobState.OPEN,
        "Opportunity",
        "upsert",
    )
    assert (job.created, job.modified) == (1_725_909_927.0, None)
    assert (job.processed, job.failed) == (None, None), "not told is not zero"


def test_a_finished_job() -> None:
    job = parse_job_info(DONE)
    assert job.modified == 1_725_909_936.0
    assert (job.state.terminal, job.processed, job.failed, job.retries, job.processing_ms) == (
        True,
        8,
        1,
        2,
        478,
    )


def test_a_failed_job_says_why() -> None:
    text = "InvalidBatch : Field name not found : Nope"
    assert parse_job_info(DONE | {"state": "Failed", "errorMessage": text}).error == text


def test_a_state_of_a_later_release_is_unknown_and_not_the_end() -> None:
    job = parse_job_info(OPEN | {"state": "Reticulating"})
    assert job.state is JobState.UNKNOWN
    assert not job.state.terminal


def test_a_15_character_id_is_completed() -> None:
    assert parse_job_info(OPEN | {"id": "750ak000009BWKL"}).id == "750ak000009BWKLAA4"


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "x",
        {},
        OPEN | {"id": None},
        OPEN | {"id": "../../x"},
        OPEN | {"id": "750ak000009BWKLAAA"},
        {key: value for key, value in OPEN.items() if key != "state"},
        OPEN | {"numberRecordsProcessed": "8"},
        OPEN | {"numberRecordsProcessed": -1},
        OPEN | {"numberRecordsFailed": True},
        OPEN | {"createdDate": "yesterday"},
    ],
)
def test_what_is_no_job(wrong: Any) -> None:
    with pytest.raises(Malformed):
        parse_job_info(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "2024-09-09T19:25:27.000+0000",
        "2024-09-09T19:25:27.000Z",
        "2024-09-09T21:25:27+02:00",
        "2024-09-09T19:25:27+0000",
    ],
)
def test_times(text: str) -> None:
    assert parse_time(text) == 1_725_909_927.0


def test_row_replies() -> None:
    body = [
        {"id": "001dM00003kS2ndQAC", "success": True, "errors": []},
        {"id": "001dM00003kS2ndQAC", "success": True, "created": False, "errors": []},
        {
            "success": False,
            "errors": [{"statusCode": "STRING_TOO_LONG", "message": "too long", "fields": ["Name"]}],
        },
        {"success": False, "id": None, "errors": [{"errorCode": "X", "message": None}], "created": False},
    ]
    assert parse_row_replies(body, 4) == (
        RowReply("001dM00003kS2ndQAC", success=True),
        RowReply("001dM00003kS2ndQAC", success=True, created=False),
        RowReply("", success=False, faults=(RowFault("STRING_TOO_LONG", "too long", ("Name",)),)),
        RowReply("", success=False, created=False, faults=(RowFault("X"),)),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        [{"id": "001dM00003kS2ndQAC", "success": True}] * 2,
        [{"id": "001dM00003kS2ndQAC"}],
        [{"success": True}],
        [{"success": True, "id": "nonsense"}],
        ["x"],
    ],
)
def test_replies_that_do_not_fit_what_was_sent(wrong: Any) -> None:
    with pytest.raises(Malformed):
        parse_row_replies(wrong, 1)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            [{"message": "Session expired", "errorCode": "INVALID_SESSION_ID"}],
            ("INVALID_SESSION_ID", "Session expired"),
        ),
        ({"error": "invalid_grant", "error_description": "no"}, ("invalid_grant", "no")),
        ({"exceptionCode": "InvalidJob", "exceptionMessage": "x"}, ("InvalidJob", "x")),
        ([], ("", "")),
        (None, ("", "")),
        (["/services/data/x"], ("", "")),
    ],
)
def test_errors(body: Any, expected: tuple[str, str]) -> None:
    assert parse_error(body) == expected


def test_list_pages() -> None:
    last = parse_list_page({"totalSize": 17, "done": True, "records": []})
    assert (last.total, last.records, last.next_url) == (17, (), "")
    more = parse_list_page(
        {"done": False, "records": [{"Id": "x"}], "nextRecordsUrl": "/services/data/v66.0/query/0r8-2"}
    )
    assert more.next_url == "/services/data/v66.0/query/0r8-2"
    jobs = parse_list_page({"done": True, "records": [], "nextRecordsUrl": None})
    assert (jobs.total, jobs.next_url) == (None, "")
    wrongs: list[Any] = [
        {},
        {"done": False, "records": []},
        {"done": True},
        {"done": True, "records": [1]},
        [],
    ]
    for wrong in wrongs:
        with pytest.raises(Malformed):
            parse_list_page(wrong)


def test_limits_and_names() -> None:
    body = {
        "B": {"Max": 5, "Remaining": 4, "Sub": {"Max": 1, "Remaining": 1}},
        "A": {"Max": 0, "Remaining": 0},
        "C": {},
    }
    assert parse_limits(body) == {"A": Limit("A", 0, 0), "B": Limit("B", 5, 4)}
    assert parse_names({"sobjects": [{"name": "B"}, {"name": "A"}]}) == ("A", "B")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_any_json_is_parsed_or_malformed(body: Any) -> None:
    for parse in (
        parse_job_info,
        parse_limits,
        parse_list_page,
        parse_names,
        lambda one: parse_row_replies(one, 1),
    ):
        try:
            parse(body)
        except Malformed:
            continue
    parse_error(body)
