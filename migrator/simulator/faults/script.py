"""A fault script: the faults of an org as plain values, as they come out of a YAML file.

The shape of the file is `schemas/faults.schema.json`; whoever reads one checks it against that first. What only this module
knows is said by `FaultInvalid` with the place in the document.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from migrator.simulator.faults.model import (
    FOREVER,
    Act,
    ActKind,
    Cut,
    Edit,
    Fault,
    FaultKind,
    JobFault,
    JobFaultKind,
    Planted,
    RowFault,
    Rows,
    When,
)
from migrator.simulator.faults.presets import CATALOGUE

ROW_ERROR = "row_error"
Entry = Mapping[str, Any]
_PATTERNS = ("path", "method", "sends")


_REQUEST = frozenset(
    {"path", "method", "sends", "sobject", "nth", "times", "probability", "since", "until", "lasts"}
)
_ROW = frozenset(
    {
        "sobject",
        "rows",
        "code",
        "message",
        "fields",
        "times",
        "operation",
        "whole_transaction",
        "above_rows",
        "seed",
    }
)
_JOB = frozenset({"sobject", "after_rows", "times"})
_MORE: Mapping[str, frozenset[str]] = {
    FaultKind.STATUS: frozenset({"code", "body", "headers", "retry_after", "retry_date", "after_effect"}),
    FaultKind.HTML: frozenset({"code", "headers", "after_effect"}),
    FaultKind.REDIRECT: frozenset({"code", "location", "headers"}),
    FaultKind.DELAY: frozenset({"seconds"}),
    FaultKind.LATE: frozenset({"seconds"}),
    FaultKind.DUPLICATE: frozenset({"seconds"}),
    FaultKind.DROP_IN_BODY: frozenset({"share", "keeps"}),
    FaultKind.TRUNCATE_BODY: frozenset({"cut", "clean"}),
    FaultKind.SEGMENTS: frozenset({"size"}),
    FaultKind.SLOW: frozenset({"size"}),
    FaultKind.HOLE: frozenset({"seconds", "after_effect"}),
    JobFaultKind.REJECT: frozenset({"message"}),
    JobFaultKind.FAIL: frozenset({"message"}),
    JobFaultKind.LOCK: frozenset({"code"}),
    JobFaultKind.HOLD: frozenset({"seconds"}),
    ActKind.DELETE_RECORDS: frozenset({"percent"}),
    ActKind.EDIT_RECORDS: frozenset({"percent", "values"}),
    ActKind.CREATE_RECORD: frozenset({"values"}),
    ActKind.REMOVE_FIELD: frozenset({"field"}),
    ActKind.RESET: frozenset({"values"}),
    ActKind.USE_UP: frozenset({"limit", "left"}),
    ActKind.REFUSE_ROWS: _ROW - {"times"},
}
_JOB_KINDS = frozenset(JobFaultKind) - {JobFaultKind.ACT}
_REQUEST_KINDS = frozenset(FaultKind) - {FaultKind.EDIT, FaultKind.ACT}
KINDS: frozenset[str] = _REQUEST_KINDS | _JOB_KINDS | frozenset(Edit) | frozenset(ActKind) | {ROW_ERROR}


def keys_of(kind: str) -> frozenset[str]:
    """The keys that an entry of this kind may have beside `kind`."""
    if kind == ROW_ERROR:
        return _ROW
    more = _MORE.get(kind, frozenset())
    if kind in _JOB_KINDS:
        return _JOB | more
    if kind in frozenset(ActKind):
        return _REQUEST | more | {"at", "after_rows", "after_effect"}
    return _REQUEST | more


class FaultInvalid(ValueError):  # noqa: N818 - the script is invalid; the name says so
    """A fault that cannot be; `path` leads to it in the document."""

    def __init__(self, path: tuple[str | int, ...], what: str, hint: str = "") -> None:
        super().__init__(what)
        self.path = path
        self.what = what
        self.hint = hint


def read_faults(document: Mapping[str, Any], *, now: float) -> list[Planted]:
    """The faults of a script, as `Org.plant` takes them. `now` is the org's time, for moments given as dates."""
    seed = int(document.get("seed", 1))
    made: list[Planted] = []
    for place, entry in enumerate(document["faults"]):
        at = ("faults", place)
        for number, given in enumerate(_entries(entry, at)):
            made.append(_made(given, at, seed + place * 100 + number, now))
    return made


def preset(name: str, *, now: float = 0.0, **changes: Any) -> list[Planted]:
    """The faults of the catalogue under this id, changed as an entry of a script would change them."""
    return read_faults({"faults": [{"id": name, **changes}]}, now=now)


def _entries(entry: Entry, at: tuple[str | int, ...]) -> list[Entry]:
    """What an entry stands for: itself, or the faults of the catalogue with its changes to each."""
    name = entry.get("id")
    if name is None:
        return [entry]
    found = CATALOGUE.get(name)
    if found is None:
        raise FaultInvalid(
            (*at, "id"),
            f"there is no fault {name} in the catalogue",
            f"known: {', '.join(sorted(CATALOGUE))}",
        )
    changes = {key: value for key, value in entry.items() if key != "id"}
    moved = {"at", "after_rows", *_PATTERNS, "nth"} if {"at", "after_rows"} & changes.keys() else set()
    return [
        {**{key: value for key, value in each.items() if key not in moved}, **changes}
        for each in found.faults
    ]


def _made(given: Entry, at: tuple[str | int, ...], seed: int, now: float) -> Planted:
    for name in _PATTERNS:
        _pattern(given.get(name, ""), (*at, name))
    kind = given["kind"]
    unfit = sorted(set(given) - {"kind"} - keys_of(kind))
    if unfit:
        raise FaultInvalid(
            (*at, unfit[0]),
            f"'{unfit[0]}' says nothing to a fault of kind {kind}",
            f"it knows: {', '.join(sorted(keys_of(kind)))}",
        )
    if len({"at", "after_rows"} & set(given)) + bool({*_PATTERNS, "nth"} & set(given)) > 1:
        raise FaultInvalid(at, "at, after_rows and requests are three ways to say when", "keep one of them")
    if kind == ROW_ERROR:
        return _row_fault(given, at, seed)
    if kind in _JOB_KINDS:
        return _job_fault(JobFaultKind(kind), given)
    if kind in set(ActKind):
        return _acting(_act(given, at, seed, now), given, seed, now)
    if kind in set(Edit):
        return _request_fault(FaultKind.EDIT, given, seed, now, edit=Edit(kind))
    return _request_fault(FaultKind(kind), given, seed, now)


def _pattern(text: str, at: tuple[str | int, ...]) -> None:
    try:
        re.compile(text)
    except re.error as fault:
        raise FaultInvalid(at, f"not a regular expression: {fault}") from fault


def _times(given: Entry, default: int = 1) -> int:
    times = given.get("times", default)
    return FOREVER if times == "always" else int(times)


def _moment(value: float | str, now: float) -> float:
    """Seconds from now on, of a number of them or of a date."""
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    return float(value)


def _request_fault(kind: FaultKind, given: Entry, seed: int, now: float, **more: Any) -> Fault:
    fault = Fault(kind, times=_times(given), when=_when(given, seed, now), **more)
    for name in (
        "path",
        "method",
        "nth",
        "code",
        "seconds",
        "size",
        "share",
        "after_effect",
        "keeps",
        "clean",
    ):
        if name in given:
            setattr(fault, name, given[name])
    if "cut" in given:
        fault.cut = Cut(given["cut"])
    if "body" in given:
        fault.body = str(given["body"]).encode()
    fault.headers = dict(given.get("headers", {}))
    if "location" in given:
        fault.headers["Location"] = given["location"]
    if "retry_after" in given:
        fault.headers["Retry-After"] = str(given["retry_after"])
    elif "retry_date" in given:
        fault.headers["Retry-After"] = f"{{now+{given['retry_date']}}}"
    return fault


def _when(given: Entry, seed: int, now: float) -> When:
    return When(
        sends=given.get("sends", ""),
        sobject=given.get("sobject", ""),
        probability=given.get("probability", 1.0),
        seed=seed,
        since=_moment(given.get("since", 0.0), now),
        until=_moment(given["until"], now) if "until" in given else float("inf"),
        lasts=float(given.get("lasts", "inf")),
    )


def _job_fault(kind: JobFaultKind, given: Entry, act: Act | None = None) -> JobFault:
    fault = JobFault(
        kind,
        given.get("after_rows", 0),
        given.get("sobject", ""),
        _times(given),
        seconds=given.get("seconds", 0.0),
        act=act,
    )
    if kind is not JobFaultKind.ACT:
        fault.message = given.get("message", fault.message)
        fault.code = given.get("code", fault.code)
    return fault


def _row_fault(given: Entry, at: tuple[str | int, ...], seed: int) -> RowFault:
    wanted = given.get("rows", {})
    _pattern(wanted.get("matches", ""), (*at, "rows", "matches"))
    rows = Rows(
        sobject=given.get("sobject", ""),
        field=wanted.get("field", ""),
        values=frozenset(map(str, wanted.get("values", ()))),
        matches=wanted.get("matches", ""),
        percent=float(wanted.get("percent", 100.0)),
    )
    if (rows.values or rows.matches) and not rows.field:
        raise FaultInvalid(
            (*at, "rows"), "values and matches are about a field, and none is named", "add field: …"
        )
    fault = RowFault(rows, times=_times(given, FOREVER), seed=given.get("seed", seed))
    for name in ("message", "operation", "whole_transaction", "above_rows"):
        if name in given:
            setattr(fault, name, given[name])
    fault.code = given.get("code", fault.code)
    fault.fields = tuple(given.get("fields", ()))
    return fault


def _act(given: Entry, at: tuple[str | int, ...], seed: int, now: float) -> Act:
    kind = ActKind(given["kind"])
    return Act(
        kind,
        at=_moment(given["at"], now) if "at" in given else None,
        sobject=given.get("sobject", ""),
        percent=float(given.get("percent", 100.0)),
        values={name: str(value) for name, value in given.get("values", {}).items()},
        limit=given.get("limit", ""),
        left=given.get("left", 0),
        field=given.get("field", ""),
        refusal=_row_fault(given, at, seed) if kind is ActKind.REFUSE_ROWS else None,
    )


def _acting(act: Act, given: Entry, seed: int, now: float) -> Planted:
    """The act at its moment (at once, when it has none); or at a request, or when a job has processed so many rows."""
    if "after_rows" in given:
        return _job_fault(JobFaultKind.ACT, given, act)
    if any(name in given for name in ("path", "method", "nth", "sends")):
        wanted = {
            key: value for key, value in given.items() if key not in {"code", "sobject"}
        }  # the act's own
        return _request_fault(FaultKind.ACT, wanted, seed, now, act=act)
    return act
