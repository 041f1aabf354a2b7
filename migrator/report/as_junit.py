"""The report as JUnit XML: a CI server shows each step and each verification as a test."""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from migrator.model.run import StepPhase
from migrator.model.summary import Again, GateSummary, StepSummary, VerificationSummary
from migrator.report.clean import clean, moment
from migrator.report.facts import Facts, counted, seconds_of


@dataclass(frozen=True, slots=True)
class _Case:
    suite: str
    name: str
    seconds: float
    failure: str = ""
    skipped: str = ""
    detail: tuple[str, ...] = ()


def as_junit(facts: Facts) -> str:
    """The report as an XML text."""
    cases = [_step_case(one) for one in facts.summary.steps]
    cases += [_verification_case(one) for one in facts.verification]
    cases += [_second_run_case(one) for one in facts.summary.repeated]
    cases += [_gate_case(one) for one in facts.gates]
    root = ET.Element("testsuites", name=clean(f"migrator {facts.summary.run.plan_name}"))
    for suite in dict.fromkeys(one.suite for one in cases):
        _suite(root, suite, [one for one in cases if one.suite == suite], facts)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, name: str, cases: list[_Case], facts: Facts) -> None:
    suite = ET.SubElement(
        root,
        "testsuite",
        name=name,
        tests=str(len(cases)),
        failures=str(sum(1 for one in cases if one.failure)),
        errors="0",
        skipped=str(sum(1 for one in cases if one.skipped)),
        time=f"{sum(one.seconds for one in cases):.3f}",
        timestamp=moment(facts.summary.run.started).removesuffix("Z"),
    )
    for one in cases:
        case = ET.SubElement(
            suite, "testcase", classname=f"migrator.{name}", name=clean(one.name), time=f"{one.seconds:.3f}"
        )
        if one.failure:
            failure = ET.SubElement(case, "failure", message=clean(one.failure), type=name)
            failure.text = "\n".join(clean(line) for line in one.detail)
        elif one.skipped:
            ET.SubElement(case, "skipped", message=clean(one.skipped))


def _step_case(step: StepSummary) -> _Case:
    seconds = seconds_of(step) or 0.0
    if step.unsuccessful or (step.phase is StepPhase.DONE and not step.balanced):
        what = f"{counted(step.unsuccessful, 'row')} of {counted(step.total or 0)} without success"
        return _Case("load", step.step, seconds, failure=what, detail=tuple(_detail(step)))
    if step.phase is not StepPhase.DONE:
        return _Case("load", step.step, seconds, skipped="not finished")
    return _Case("load", step.step, seconds)


def _gate_case(one: GateSummary) -> _Case:
    failure = f"{one.what}: {one.state}, not put back" if one.held else ""
    return _Case("gates", one.step, 0.0, failure=failure)


def _detail(step: StepSummary) -> Iterator[str]:
    yield from (f"{outcome.value}: {count:,}" for outcome, count in step.tallies.items() if count)
    yield from (f"{code}: {count:,}" for code, count in step.faults.items())
    yield from step.notes


def _second_run_case(one: StepSummary) -> _Case:
    created = (one.again or {}).get(Again.CREATE, 0)
    failure = f"a second run would create {counted(created, 'record')}" if created else ""
    detail = tuple(f"{each.value}: {count:,}" for each, count in (one.again or {}).items())
    return _Case("second-run", one.step, 0.0, failure=failure, detail=detail)


def _verification_case(one: VerificationSummary) -> _Case:
    if one.wrong:
        detail = (
            f"missing: {one.missing:,}",
            f"duplicated: {one.duplicated:,}",
            *(f"{name} lost its record: {count:,}" for name, count in one.orphaned.items()),
            *(f"{name} differs: {count:,}" for name, count in one.differing.items()),
        )
        return _Case(
            "verify", one.step, 0.0, failure=f"{counted(one.wrong, 'difference')} found", detail=detail
        )
    if one.verdict == "incomplete":
        what = f"{counted(one.unsuccessful, 'row')} without success: nothing of them is in the target"
        return _Case("verify", one.step, 0.0, failure=what)
    return _Case("verify", one.step, 0.0, skipped="" if one.done else "not verified yet")
