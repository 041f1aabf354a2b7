"""Settings of an org from YAML and from command lines."""

from functools import reduce
from typing import Any

import pytest
import yaml

from migrator.simulator import Org, OrgSettings, load_schema
from migrator.simulator.configure import SettingInvalid, assigned, configured
from migrator.simulator.settings import BackgroundWriter, LockOrder, LockSettings, LookupLocks

GIVEN = """
row_seconds: 1
batch_parallelism: 15
shuffle_results: false
public_key: null
sobject_seconds: {Contact: 0.5, Task: 2}
locks:
  wait: 3
  lookups: always
  order: rows
  private_sharing: [Account, Case]
  writers:
    - {sobject: Account, every: 2, rows: 3}
"""


def test_settings_of_a_schema_file_are_the_org_s() -> None:
    org = Org(load_schema({"settings": yaml.safe_load(GIVEN)}, {"settings": {"row_seconds": 0.004}}))
    assert org.settings.row_seconds == 0.004
    assert org.settings.sobject_seconds == {"Contact": 0.5, "Task": 2.0}
    assert (org.settings.batch_parallelism, org.settings.shuffle_results) == (15, False)
    assert org.settings.locks == LockSettings(
        wait=3.0,
        lookups=LookupLocks.ALWAYS,
        order=LockOrder.ROWS,
        private_sharing=frozenset({"Account", "Case"}),
        writers=(BackgroundWriter("Account", every=2.0, rows=3),),
    )


def test_settings_given_in_python_are_the_last_word() -> None:
    schema = load_schema({"settings": {"row_seconds": 5}})
    assert Org(schema, OrgSettings(row_seconds=1.0)).settings.row_seconds == 1.0


def test_settings_of_a_command_line() -> None:
    texts = [
        "row_seconds=0.25",
        "locks.wait=2",
        "locks.lookups=never",
        "sobject_seconds={Case: 1}",
        "name=UAT 2",
    ]
    settings = reduce(configured, map(assigned, texts), OrgSettings(locks=LockSettings(order=LockOrder.ROWS)))
    assert settings.locks == LockSettings(wait=2.0, lookups=LookupLocks.NEVER, order=LockOrder.ROWS)
    assert (settings.row_seconds, settings.sobject_seconds, settings.name) == (0.25, {"Case": 1.0}, "UAT 2")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"row_second": 1}, "row_second: no such setting; did you mean row_seconds?"),
        ({"row_seconds": "fast"}, "row_seconds: a number from 0 on is wanted"),
        ({"row_seconds": -1}, "row_seconds: a number from 0 on is wanted"),
        ({"row_seconds": True}, "row_seconds: a number from 0 on is wanted"),
        ({"batch_parallelism": 1.5}, "batch_parallelism: a whole number from 0 on is wanted"),
        ({"hard_delete": "yes"}, "hard_delete: true or false is wanted"),
        ({"name": 3}, "name: text is wanted"),
        ({"sobject_seconds": [1]}, "sobject_seconds: a mapping is wanted"),
        ({"sobject_seconds": {"Case": "x"}}, "sobject_seconds.Case: a number from 0 on is wanted"),
        ({"locks": 3}, "locks: a mapping of settings is wanted"),
        ({"locks": {"lookups": "some"}}, "locks.lookups: one of never, restricted, always is wanted"),
        ({"locks": {"private_sharing": "Account"}}, "locks.private_sharing: a list is wanted"),
        ({"locks": {"writers": [{"every": 1}]}}, "locks.writers[0]: sobject is missing"),
        (
            {"locks": {"writers": [{"sobject": "A", "every": 1, "x": 1}]}},
            "locks.writers[0]: no such setting: x",
        ),
        ({"locks": {"writers": [3]}}, "locks.writers[0]: a mapping is wanted"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(given: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingInvalid) as refused:
        configured(OrgSettings(), given)
    assert str(refused.value) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"sobject_seconds": {"Contcat": 1}},
            "sobject_seconds: the org has no sObject Contcat; did you mean Contact?",
        ),
        ({"locks": {"private_sharing": ["Zzz"]}}, "locks.private_sharing: the org has no sObject Zzz"),
        (
            {"locks": {"writers": [{"sobject": "Zzz", "every": 1}]}},
            "locks.writers: the org has no sObject Zzz",
        ),
    ],
)
def test_sobjects_that_the_org_does_not_have_are_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingInvalid) as refused:
        Org(load_schema({"settings": given}))
    assert str(refused.value) == text


@pytest.mark.parametrize("text", ["row_seconds", "=1", "locks.wait=[1"])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(SettingInvalid):
        assigned(text)
