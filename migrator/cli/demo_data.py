"""The records of the demo's two orgs: a made-up company, as CSV files that a simulated org loads.

**Invariant:** the same seed gives the same bytes.
"""

import csv
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

SEED = 20_261_001
#: how many records of each sObject the legacy org has at scale 1
SIZES: Mapping[str, int] = {
    "User": 40,
    "Group": 4,
    "Account": 6_000,
    "Contact": 16_000,
    "Opportunity": 11_000,
    "OpportunityContactRole": 9_000,
    "Case": 8_000,
    "Task": 9_000,
    "Project__c": 800,
    "Milestone__c": 3_200,
}
#: this many of the users have left and are not in the merged org
LEFT = 3


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST = _listed("""Ada Amélie Björn Chen Dolores Ewa Farid Grażyna Hana İpek Jürgen Kenji Lucía Mbali Noor Oğuz
    Pia Quentin Rosa Søren Tomás Uma Vikram Wen Xóchitl Yara Zoë""")
_LAST = _listed("""Abe Berg Castro Dvořák Eriksson Fischer García Haddad Ito Jensen Kowalski Łaska Müller Nguyễn
    O'Brien Peña Quist Rossi Sato Šimić Tanaka Ünal Van-Dyk Weiß Žukov""")
_WORDS = _listed("""Alpine Baltic Cedar Delta Ember Falcon Granite Harbor Indigo Juniper Kestrel Lumen Meridian
    Nordic Onyx Pioneer Quartz Riverside Summit Tundra Umber Vertex Willow Zenith""")
_KINDS = _listed(
    """Logistics Foods Textiles Robotics Energy Clinics Media Motors Paper Timber Optics Shipping"""
)
_FORMS = ("GmbH", "Ltd.", "S.A.", "AB", "Inc.", "& Sons", "“Holding”")
_CITIES = (
    ("Berlin", "Germany"), ("São Paulo", "Brazil"), ("Kraków", "Poland"), ("Nagoya", "Japan"),
    ("Austin", "USA"), ("Malmö", "Sweden"), ("Lyon", "France"), ("Cape Town", "South Africa"),
)  # fmt: skip
_INDUSTRIES = ("Tech", "Gov", "Banking", "Retail", "Energy", "Healthcare", "")
_STAGES = ("Prospecting", "Qualification", "Proposal/Price Quote", "Closed Won", "Closed Lost")
_NOTES = (
    'Asked for a "firm" offer, in writing; call back on Monday.',
    "Two sites,\nthree contracts.\nInvoices go to the first one.",
    "Prefers e-mail — 電話不可.",
    "=SUM of last quarter's orders was too low",
    "",
    "",
)
_EPOCH = date(2022, 1, 3)

Row = dict[str, str]


def write_legacy(folder: Path, *, scale: float = 1.0, seed: int = SEED) -> dict[str, int]:
    """The legacy org's records, one CSV file an sObject; how many each has."""
    company = _Company(random.Random(seed), scale)  # noqa: S311 - a demo wants the same data each time
    makers = {
        "User": company.users,
        "Group": company.queues,
        "Account": company.accounts,
        "Contact": company.contacts,
        "Opportunity": company.opportunities,
        "OpportunityContactRole": company.roles,
        "Case": company.cases,
        "Task": company.tasks,
        "Project__c": company.projects,
        "Milestone__c": company.milestones,
    }
    # the org has them already; the file gives them the names by which the accounts look them up
    _write(folder / "RecordType.csv", _record_types())
    _write(folder / "QueueSobject.csv", company.queue_sobjects())
    return {name: _write(folder / f"{name}.csv", make()) for name, make in makers.items()}


def write_merged(folder: Path, *, scale: float = 1.0, seed: int = SEED) -> dict[str, int]:
    """What the merged org has before the move: the users that still work there, one for migrations, the queues."""
    company = _Company(random.Random(seed), scale)  # noqa: S311 - as above
    users = [
        row | {"Username": f"{row['Username']}.merged"} for row in list(company.users())[: company.stayed]
    ]
    _write(folder / "QueueSobject.csv", company.queue_sobjects())
    users.append(_user("U-migration", "Migration", "Desk", "migration@acme.example.merged"))
    return {
        "User": _write(folder / "User.csv", users),
        "Group": _write(folder / "Group.csv", company.queues()),
    }


def _write(path: Path, rows: Iterable[Row]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = list(rows)
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(made[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(made)
    return len(made)


def _record_types() -> Iterator[Row]:
    for name in ("Customer", "Partner"):
        yield {"Id": f"R-{name}", "DeveloperName": name, "Name": name, "SobjectType": "Account"}


def _user(key: str, first: str, last: str, username: str) -> Row:
    return {
        "Id": key,
        "Username": username,
        "FirstName": first,
        "LastName": last,
        "Email": username.removesuffix(".merged"),
        "Alias": key.replace("-", "")[:8].lower(),
    }


class _Company:
    """One made-up company. The methods are called in order: each draws from the same random numbers."""

    def __init__(self, rng: random.Random, scale: float) -> None:
        self._rng = rng
        self._sizes = {name: max(4, round(size * scale)) for name, size in SIZES.items()}
        self._sizes["User"] = SIZES["User"]
        self._sizes["Group"] = SIZES["Group"]
        self.stayed = SIZES["User"] - LEFT
        self._account_of: list[int] = []  # of each contact
        self._case_kept: list[bool] = []  # whether each case's account is a real one

    def _pick(self, choices: Sequence[str]) -> str:
        return self._rng.choice(choices)

    def _day(self, span: int = 1_500) -> str:
        return (_EPOCH + timedelta(days=self._rng.randrange(span))).isoformat()

    def _owner(self) -> str:
        return f"U{self._rng.randrange(self._sizes['User'])}"

    def users(self) -> Iterator[Row]:
        for number in range(self._sizes["User"]):
            first, last = self._pick(_FIRST), self._pick(_LAST)
            yield _user(f"U{number}", first, last, f"user{number:02}@acme.example")

    def queues(self) -> Iterator[Row]:
        for number, name in enumerate(("Billing", "Hardware", "Software", "Triage")):
            yield {"Id": f"G{number}", "Name": name, "DeveloperName": name, "Type": "Queue"}

    def queue_sobjects(self) -> Iterator[Row]:
        """Queues own records of the sObjects that they take only."""
        for number in range(self._sizes["Group"]):
            yield {"QueueId": f"G{number}", "SobjectType": "Case"}

    def accounts(self) -> Iterator[Row]:
        rng = self._rng
        for number in range(self._sizes["Account"]):
            city, country = rng.choice(_CITIES)
            name = f"{self._pick(_WORDS)} {self._pick(_KINDS)} {self._pick(_FORMS)}"
            # a tree some levels deep; a parent may come after its child, as in real exports
            parent = f"A{rng.randrange(self._sizes['Account'] // 8)}" if number % 3 == 0 else ""
            yield {
                "Id": f"A{number}",
                "Name": f"{name} {number}",
                "ParentId": "" if parent == f"A{number}" or number < self._sizes["Account"] // 8 else parent,
                "OwnerId": self._owner(),
                "RecordTypeId": "R-Partner" if number % 7 == 0 else "R-Customer",
                "Industry": self._pick(_INDUSTRIES),
                "Tier__c": self._pick("123"),
                "Is_Test__c": "true" if number % 100 == 99 else "false",
                "Credit_Limit__c": f"{rng.randrange(1_000_000) / 100:.2f}",
                "AnnualRevenue": str(rng.randrange(1_000, 9_000_000)),
                "NumberOfEmployees": str(rng.randrange(1, 20_000)),
                "Phone": f"+49 30 {rng.randrange(10**6, 10**7)}",
                "Website": f"https://Example{number}.example/Home",
                "BillingStreet": f"{rng.randrange(1, 200)} {self._pick(_WORDS)} Street\nUnit {rng.randrange(1, 40)}",
                "BillingCity": city,
                "BillingCountry": country,
                "Description": self._pick(_NOTES),
            }

    def contacts(self) -> Iterator[Row]:
        rng = self._rng
        for number in range(self._sizes["Contact"]):
            # a few accounts have very many contacts: the skew that makes loads wait for locks
            account = rng.randrange(20) if number % 10 == 0 else rng.randrange(self._sizes["Account"])
            self._account_of.append(account)
            boss = rng.randrange(number) if number % 5 == 4 and number else None
            first, last = self._pick(_FIRST), self._pick(_LAST)
            yield {
                "Id": f"C{number}",
                "AccountId": f"A{account}",
                "FirstName": first,
                "LastName": last,
                "Email": f"contact{number}@example{account}.example",
                "Phone": f"({rng.randrange(200, 999)}) 555-{rng.randrange(10_000):04}",
                "Title": self._pick(("Buyer", "CTO", "Head of Operations", "Plant Manager", "")),
                "Birthdate": (date(1960, 1, 1) + timedelta(days=rng.randrange(14_000))).isoformat(),
                "MailingCity": rng.choice(_CITIES)[0],
                "ReportsToId": f"C{boss}" if boss is not None and not self._is_test(boss) else "",
                "OwnerId": self._owner(),
                "Opted_Out__c": "true" if number % 17 == 0 else "false",
                "Description": self._pick(_NOTES),
            }

    def _is_test(self, contact: int) -> bool:
        return self._account_of[contact] % 100 == 99

    def opportunities(self) -> Iterator[Row]:
        rng = self._rng
        for number in range(self._sizes["Opportunity"]):
            account = rng.randrange(self._sizes["Account"])
            yield {
                "Id": f"O{number}",
                "AccountId": f"A{account}",
                "Name": f"{self._pick(_WORDS)} deal {number}",
                "StageName": self._pick(_STAGES),
                "CloseDate": self._day(),
                "Amount": f"{rng.randrange(100, 90_000_000) / 100:.2f}",
                "Type": self._pick(("New Customer", "Existing Customer - Upgrade", "")),
                "NextStep": self._pick(("Send offer", "Call, then write", "")),
                "OwnerId": self._owner(),
                "Description": self._pick(_NOTES),
            }

    def roles(self) -> Iterator[Row]:
        taken: set[tuple[int, int]] = set()
        while len(taken) < self._sizes["OpportunityContactRole"]:
            opportunity = self._rng.randrange(self._sizes["Opportunity"])
            contact = self._rng.randrange(self._sizes["Contact"])
            if (opportunity, contact) in taken:
                continue
            taken.add((opportunity, contact))
            yield {
                "OpportunityId": f"O{opportunity}",
                "ContactId": f"C{contact}",
                "Role": self._pick(("Decision Maker", "Evaluator", "Influencer", "Other")),
                "IsPrimary": "false",
            }

    def cases(self) -> Iterator[Row]:
        for number in range(self._sizes["Case"]):
            contact = self._rng.randrange(self._sizes["Contact"])
            owner = f"G{self._rng.randrange(self._sizes['Group'])}" if number % 3 == 0 else self._owner()
            # a parent case of the same, real kind: not one that stays behind
            parent = self._rng.randrange(number) if number % 20 == 19 else None
            yield {
                "Id": f"K{number}",
                "ContactId": f"C{contact}",
                "AccountId": f"A{self._account_of[contact]}",
                "ParentId": f"K{parent}" if parent is not None and self._case_kept[parent] else "",
                "OwnerId": owner,
                "Subject": f"{self._pick(_KINDS)} issue, ticket {number}",
                "Status": self._pick(("New", "Working", "Escalated", "Closed")),
                "Priority": self._pick(("High", "Medium", "Low")),
                "Origin": self._pick(("Phone", "Email", "Web")),
                "SuppliedEmail": f"contact{contact}@example.example",
                "Description": self._pick(_NOTES),
            }
            self._case_kept.append(not self._is_test(contact))

    def tasks(self) -> Iterator[Row]:
        rng = self._rng
        for number in range(self._sizes["Task"]):
            contact = rng.randrange(self._sizes["Contact"])
            what = (
                f"A{self._account_of[contact]}",
                f"O{rng.randrange(self._sizes['Opportunity'])}",
                f"K{rng.randrange(self._sizes['Case'])}",
            )[number % 3]
            yield {
                "Subject": self._pick(("Call", "Send Quote", "Send Letter", "Follow up, urgently")),
                "Status": self._pick(("Not Started", "In Progress", "Completed")),
                "Priority": self._pick(("High", "Normal", "Low")),
                "ActivityDate": self._day(),
                "WhoId": f"C{contact}" if number % 4 else "",
                "WhatId": what,
                "OwnerId": self._owner(),
                "Description": self._pick(_NOTES),
            }

    def projects(self) -> Iterator[Row]:
        each = self._sizes["Milestone__c"] // self._sizes["Project__c"]
        for number in range(self._sizes["Project__c"]):
            current = number * each + self._rng.randrange(each)
            yield {
                "Id": f"P{number}",
                "Name": f"{self._pick(_WORDS)} rollout {number}",
                "Account__c": f"A{self._rng.randrange(self._sizes['Account'])}",
                "Current_Milestone__c": f"M{current}" if number % 10 else "",
                "Budget__c": f"{self._rng.randrange(10_000, 50_000_000) / 100:.2f}",
                "Status__c": self._pick(("Planned", "Running", "Done")),
                "Kickoff__c": self._day(),
                "OwnerId": self._owner(),
            }

    def milestones(self) -> Iterator[Row]:
        each = self._sizes["Milestone__c"] // self._sizes["Project__c"]
        for number in range(self._sizes["Project__c"] * each):
            yield {
                "Id": f"M{number}",
                "Name": f"{self._pick(('Design', 'Build', 'Test', 'Go-live'))} {number % each + 1}",
                "Project__c": f"P{number // each}",
                "Due__c": self._day(),
                "Done__c": self._pick(("true", "false")),
                "Sequence__c": str(number % each + 1),
            }
