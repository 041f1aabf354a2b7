"""The schema and the plan that most tests move: accounts with a key, what is inserted without one, and two objects that look each other up.

A test's own plan is made of entries, so that it shows only what it is about.
"""

from textwrap import indent

#: both orgs; everything else in them is standard
SCHEMA = """
objects:
  Account:
    fields:
      Legacy_Id__c: {type: text, length: 18, unique: true, external_id: true}
  Left__c:
    label: Left
    fields:
      Right__c: {type: lookup, to: Right__c}
      Size__c: {type: number, precision: 18, scale: 2}
  Right__c:
    label: Right
    fields:
      Left__c: {type: lookup, to: Left__c}
"""


def _lines(more: str) -> str:
    return indent(more, "    ") + "\n" if more else ""


def plan_of(*entries: str, name: str = "small", more: str = "", source: str = "{org: legacy}") -> str:
    """A plan from one org (or `FILES`) to the other; `more`: lines at its top level."""
    head = f"version: 1\nname: {name}\nsource: {source}\ntarget: {{org: merged}}\n{more}"
    return head.rstrip("\n") + "\nobjects:\n" + "".join(entries)


def inserted(sobject: str, fields: str, more: str = "") -> str:
    """An entry that inserts without a key; `fields` as in a list, `more`: further lines of it."""
    return (
        f"  - object: {sobject}\n    operation: insert\n    fields: {{include: [{fields}]}}\n{_lines(more)}"
    )


def accounts(fields: str = "Name", more: str = "") -> str:
    """An entry that upserts accounts by the record ids of the source."""
    key = "    external_id: Legacy_Id__c\n    map: {Legacy_Id__c: Id}\n"
    return f"  - object: Account\n    operation: upsert\n    fields: {{include: [{fields}]}}\n{key}{_lines(more)}"


#: a source of plans that read the folder beside them; then entries have a `BY_ID`
FILES = "{files: data}"
BY_ID = "key: [Id]"
#: an `accounts` entry's own lines for a hierarchy that is filled by a second pass
HIERARCHY = "relationships: {ParentId: {when_missing: link}}"
#: contacts of those accounts
PEOPLE = inserted("Contact", "LastName, AccountId")
#: two objects that look each other up
PAIR = inserted("Left__c", "Name, Right__c") + inserted("Right__c", "Name, Left__c")
VERIFIED = "verify: {counts: exact, fields: all}\n"
