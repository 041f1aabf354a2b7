"""Whether the orgs of an orgs file can be reached, whose they are, and what is left of their allowances.

Many are asked at once, and none is waited for for long: one that takes a connection and never answers keeps no other waiting.

**Invariant:** reads only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from migrator.cli.orgs import Orgs
from migrator.clock import Clock
from migrator.errors import MigratorError, PlanInvalid
from migrator.preflight import check_clock
from migrator.salesforce import Org

#: how many orgs are asked at once
AT_ONCE = 16
#: seconds without any answer after which it is said from whom there is none
PATIENCE = 5.0
#: seconds that an org has for an answer
WITHIN = 15.0
#: below this share of an allowance a cutover may come to a halt
LITTLE_LEFT = 0.2
_LIMITS = ("DailyApiRequests", "DailyBulkApiBatches", "DataStorageMB")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `state`: ok, warn or fail."""

    state: str
    about: str
    what: str


def check_orgs(
    path: Path,
    environment: Mapping[str, str],
    clock: Clock,
    waiting: Callable[[Sequence[str]], None],
    *,
    patience: float = PATIENCE,
    within: float = WITHIN,
) -> Iterator[Finding]:
    """What is found of each org, in the order of their answers; `waiting` is told every `patience` seconds whose are missing.

    `within`: the seconds that an org has for each.
    """
    try:
        orgs = Orgs(path, environment, clock)
    except PlanInvalid as wrong:
        yield from (Finding("fail", "orgs", str(one)) for one in wrong.diagnostics)
        return
    with ThreadPoolExecutor(AT_ONCE) as asking:
        left = {asking.submit(_asked, orgs, alias, clock, within): alias for alias in orgs.aliases}
        while left:
            done, _ = wait(left, timeout=patience, return_when=FIRST_COMPLETED)
            for one in sorted(done, key=lambda each: left[each]):
                del left[one]
                yield from one.result()
            if left and not done:
                waiting(tuple(left.values()))


def _asked(orgs: Orgs, alias: str, clock: Clock, within: float) -> list[Finding]:
    try:
        with orgs.connect(alias, within=within) as org:
            return list(_org(alias, org, clock))
    except MigratorError as fault:
        told = fault.diagnostic
        what = f"{told.what} → {told.hint}" if told.hint else told.what
        return [Finding("fail", f"org {alias}", what)]


def _org(alias: str, org: Org, clock: Clock) -> Iterator[Finding]:
    who = org.identity()
    kind = "production" if who.production else "not production"
    yield Finding(
        "ok", f"org {alias}", f"{who.organization_id} ({kind}), user {who.username}, API {org.api_version}"
    )
    try:
        state = "ok" if check_clock(org, clock) is None else "warn"
    except MigratorError:
        state = "fail"
    if state != "ok":
        what = f"its clock and this machine's differ by {abs(org.skew or 0):.0f} s"
        yield Finding(state, f"org {alias}", what)
    limits = org.limits()
    for name in _LIMITS:
        if name in limits:
            one = limits[name]
            state = "warn" if one.remaining < LITTLE_LEFT * one.maximum else "ok"
            yield Finding(state, f"org {alias}", f"{name}: {one.remaining:,} of {one.maximum:,} left")
