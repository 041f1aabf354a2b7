"""What the planner asks of the two ends: what to describe and count, and that they are the ends the plan means."""

from collections.abc import Iterator
from dataclasses import dataclass

from migrator.errors import Diagnostic, error
from migrator.model.ids import is_record_id, to_18
from migrator.model.plan import FilesEnd, Operation, Plan
from migrator.model.schema import OrgSchema
from migrator.model.wire import OrgIdentity
from migrator.soql import SoqlError, queries


@dataclass(frozen=True, slots=True)
class Needs:
    """The sObjects to describe, each list sorted; no source sObjects when the plan reads files."""

    source_sobjects: tuple[str, ...]
    target_sobjects: tuple[str, ...]


def needs(plan: Plan) -> Needs:
    """What has to be described before the plan can be checked."""
    source = () if isinstance(plan.source, FilesEnd) else {one.source_object for one in plan.objects}
    return Needs(tuple(sorted(source)), tuple(sorted({one.object for one in plan.objects})))


def count_queries(plan: Plan, source_schema: OrgSchema) -> dict[str, str]:
    """A COUNT() query for each object that is written; objects whose sObject or filter is broken are left out."""
    counting: dict[str, str] = {}
    for one in plan.objects:
        sobject = source_schema.sobject(one.source_object)
        if sobject is None or one.operation is Operation.REFERENCE:
            continue
        try:
            counting[one.name] = queries.count(sobject.name, one.where)
        except SoqlError:
            continue  # make_schedule tells it, with its place
    return counting


def check_ends(plan: Plan, source: OrgIdentity | None, target: OrgIdentity) -> list[Diagnostic]:
    """Whether the orgs that answered are those the plan means: two orgs, the pinned target, production only on purpose."""
    return sorted(_wrong_ends(plan, source, target), key=lambda one: one.where)


def _wrong_ends(plan: Plan, source: OrgIdentity | None, target: OrgIdentity) -> Iterator[Diagnostic]:
    actual = _org_id(target.organization_id)
    if source is not None and _org_id(source.organization_id) == actual:
        yield error(
            "same-org",
            f"source and target are the same org, {actual}",
            hint="point `source` or `target` to another org alias",
            where=plan.place("target"),
        )
    pinned = plan.expect.organization_id
    if pinned is not None and _org_id(pinned) != actual:
        yield error(
            "org-mismatch",
            f"the plan expects target org {pinned}, alias {plan.target.org} is org {actual}",
            hint="check the alias; change `expect` only if the plan means this org",
            where=plan.place("target", "expect", "organization_id"),
        )
    if target.production and not plan.expect.production:
        yield error(
            "production-target",
            f"target {plan.target.org} is a production org",
            hint="say `expect: {production: true}` with its `organization_id` if that is meant",
            where=plan.place("target", "expect", "production"),
        )
    elif plan.expect.production and not target.production:
        yield error(
            "org-mismatch",
            f"the plan expects a production org, {plan.target.org} is not one",
            hint="check the alias",
            where=plan.place("target", "expect", "production"),
        )


def _org_id(text: str) -> str:
    return to_18(text) if is_record_id(text) else text
