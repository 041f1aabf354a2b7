"""What the planner asks of the two ends: what to describe and count, and that they are the ends the plan means."""

from dataclasses import dataclass

from migrator.errors import Diagnostic
from migrator.model.ids import is_record_id, to_18
from migrator.model.plan import FilesEnd, Operation, Plan
from migrator.model.schema import OrgSchema
from migrator.model.wire import OrgIdentity
from migrator.planner.findings import Findings
from migrator.planner.queries import count_soql
from migrator.soql import SoqlError


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
    queries: dict[str, str] = {}
    for one in plan.objects:
        sobject = source_schema.sobject(one.source_object)
        if sobject is None or one.operation is Operation.REFERENCE:
            continue
        try:
            queries[one.name] = count_soql(sobject.name, one.where)
        except SoqlError:
            continue  # make_schedule tells it, with its place
    return queries


def check_ends(plan: Plan, source: OrgIdentity | None, target: OrgIdentity) -> list[Diagnostic]:
    """Whether the orgs that answered are those the plan means: two orgs, the pinned target, production only on purpose."""
    found = Findings(plan)
    actual = _org_id(target.organization_id)
    if source is not None and _org_id(source.organization_id) == actual:
        found.error(
            "same-org",
            f"source and target are the same org, {actual}",
            None,
            "target",
            hint="point `source` or `target` to another org alias",
        )
    pinned = plan.expect.organization_id
    if pinned is not None and _org_id(pinned) != actual:
        found.error(
            "org-mismatch",
            f"the plan expects target org {pinned}, alias {plan.target.org} is org {actual}",
            None,
            *("target", "expect", "organization_id"),
            hint="check the alias; change `expect` only if the plan means this org",
        )
    _check_production(plan, target, found)
    return found.sorted()


def _check_production(plan: Plan, target: OrgIdentity, found: Findings) -> None:
    if target.production and not plan.expect.production:
        found.error(
            "production-target",
            f"target {plan.target.org} is a production org",
            None,
            *("target", "expect", "production"),
            hint="say `expect: {production: true}` with its `organization_id` if that is meant",
        )
    elif plan.expect.production and not target.production:
        found.error(
            "org-mismatch",
            f"the plan expects a production org, {plan.target.org} is not one",
            None,
            *("target", "expect", "production"),
            hint="check the alias",
        )


def _org_id(text: str) -> str:
    return to_18(text) if is_record_id(text) else text
