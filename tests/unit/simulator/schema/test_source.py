"""Schemas from metadata source: source form and the form of the Metadata API, and what is said of the rest."""

from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.simulator import Org, SchemaKind, load_schema_from
from migrator.simulator.schema.files import SchemaInvalid
from migrator.simulator.schema.model import FieldType, OnDelete, SObject
from migrator.simulator.schema.sources import Loaded

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
XMLNS = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
INVOICE = """<label>Invoice</label><pluralLabel>Invoices</pluralLabel>
<nameField><displayFormat>INV-{0000}</displayFormat><label>Number</label><type>AutoNumber</type></nameField>"""
KEY = "<label>Key</label><type>Text</type><length>40</length><externalId>true</externalId><unique>true</unique><caseSensitive>true</caseSensitive>"
MASTER = "<label>Invoice</label><type>MasterDetail</type><referenceTo>Invoice__c</referenceTo><relationshipName>Lines</relationshipName><reparentableMasterDetail>true</reparentableMasterDetail>"
BIG = """<label>Big one</label><active>true</active><picklistValues><picklist>City__c</picklist>
<values><fullName>Bern</fullName></values></picklistValues>"""
STATUS = """<type>Picklist</type><valueSet><restricted>true</restricted><valueSetDefinition><sorted>false</sorted>
<value><fullName>New</fullName><default>true</default><label>Brand new</label></value>
<value><fullName>Old</fullName><default>false</default><label>Old</label><isActive>false</isActive></value>
</valueSetDefinition></valueSet>"""
CITY = """<type>Picklist</type><valueSet><controllingField>Country__c</controllingField><restricted>true</restricted>
<valueSetDefinition><value><fullName>Bern</fullName></value><value><fullName>Rome</fullName></value></valueSetDefinition>
<valueSettings><controllingFieldValue>CH</controllingFieldValue><valueName>Bern</valueName></valueSettings></valueSet>"""
COUNTRY = "<type>Picklist</type><valueSet><valueSetName>Countries</valueSetName></valueSet>"
COUNTRIES = "<customValue><fullName>CH</fullName><default>false</default></customValue><customValue><fullName>IT</fullName><default>true</default></customValue>"
TOTAL = "<type>Summary</type><summarizedField>Line__c.Amount__c</summarizedField><summaryForeignKey>Line__c.Invoice__c</summaryForeignKey><summaryOperation>sum</summaryOperation>"

Write = Callable[[str, str], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An SFDX project with two objects and some value sets."""
    files = {
        "objects/Invoice__c/Invoice__c.object-meta.xml": ("CustomObject", INVOICE),
        "objects/Invoice__c/fields/Key__c.field-meta.xml": (
            "CustomField",
            f"<fullName>Key__c</fullName>{KEY}",
        ),
        "objects/Invoice__c/fields/Status__c.field-meta.xml": ("CustomField", STATUS),
        "objects/Invoice__c/fields/Total__c.field-meta.xml": ("CustomField", TOTAL),
        "objects/Line__c/Line__c.object-meta.xml": ("CustomObject", "<label>Line</label>"),
        "objects/Line__c/fields/Invoice__c.field-meta.xml": ("CustomField", MASTER),
        "objects/Line__c/fields/Amount__c.field-meta.xml": (
            "CustomField",
            "<type>Currency</type><precision>16</precision><scale>2</scale>",
        ),
        "objects/Account/fields/Country__c.field-meta.xml": ("CustomField", COUNTRY),
        "objects/Account/fields/City__c.field-meta.xml": ("CustomField", CITY),
        "objects/Account/recordTypes/Big.recordType-meta.xml": (
            "RecordType",
            BIG,
        ),
        "globalValueSets/Countries.globalValueSet-meta.xml": ("GlobalValueSet", COUNTRIES),
        "standardValueSets/Industry.standardValueSet-meta.xml": (
            "StandardValueSet",
            "<standardValue><fullName>Mining</fullName></standardValue>",
        ),
    }
    (tmp_path / "sfdx-project.json").write_text("{}")
    for path, (kind, inside) in files.items():
        write(tmp_path, path, inside, kind)
    return tmp_path


def write(root: Path, path: str, inside: str, kind: str = "CustomField") -> Path:
    file = root / "force-app" / "main" / "default" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{HEAD}<{kind} {XMLNS}>\n{inside}\n</{kind}>\n", encoding="utf-8")
    return file


def sobject(loaded: Loaded, name: str) -> SObject:
    found = loaded.schema.sobject(name)
    assert found is not None
    return found


def notes(root: Path) -> list[str]:
    return [str(each).replace(str(root), "").lstrip("/") for each in load_schema_from(root).notes]


def test_objects_and_fields_are_as_the_source_says(root: Path) -> None:
    loaded = load_schema_from(root)
    assert (loaded.kind, loaded.notes) == (SchemaKind.SOURCE, ())
    invoice, line, account = (sobject(loaded, name) for name in ("Invoice__c", "Line__c", "Account"))
    assert (invoice.label, invoice.plural) == ("Invoice", "Invoices")
    name = invoice.field("Name")
    assert name
    assert name.auto_number == "INV-{0000}"
    key = invoice.field("Key__c")
    assert key
    assert (key.type, key.length, key.external_id, key.unique, key.case_sensitive, key.id_lookup) == (
        FieldType.STRING,
        40,
        True,
        True,
        True,
        True,
    )
    master = line.field("Invoice__c")
    assert master
    assert (master.relationship_order, master.on_delete, master.children, master.updateable) == (
        0,
        OnDelete.CASCADE,
        "Lines__r",
        True,
    )
    assert line.field("OwnerId") is None
    status = invoice.field("Status__c")
    assert status
    assert (status.values, status.default, status.restricted) == (("New",), "New", True)
    assert [(each.value, each.label, each.active) for each in status.choices] == [
        ("New", "Brand new", True),
        ("Old", "Old", False),
    ]
    total = invoice.field("Total__c")
    assert total
    assert (total.type, total.calculated, total.createable) == (FieldType.CURRENCY, True, False)
    country, city, industry = (account.field(each) for each in ("Country__c", "City__c", "Industry"))
    assert country
    assert city
    assert industry
    assert (country.values, country.default, country.restricted) == (("CH", "IT"), "IT", True)
    assert (city.controller, [each.valid_for for each in city.choices]) == ("Country__c", [("CH",), ()])
    assert industry.values == ("Mining",)
    assert [each.label for each in account.record_types] == ["Big one"]


def test_an_org_of_it_takes_records(root: Path) -> None:
    org = Org(load_schema_from(root).schema)
    assert org.store.table("Line__c").sobject.plural == "Lines"
    assert len(org.store.table("RecordType")) == 1


def test_the_form_of_the_metadata_api_is_read_alike(root: Path, tmp_path: Path) -> None:
    whole = tmp_path / "src"
    inside = f"{INVOICE}<fields><fullName>Key__c</fullName>{KEY}</fields><fields><fullName>Status__c</fullName>{STATUS}</fields>"
    file = whole / "objects" / "Invoice__c.object"
    file.parent.mkdir(parents=True)
    file.write_text(f"{HEAD}<CustomObject {XMLNS}>{inside}</CustomObject>")
    account = f"<recordTypes><fullName>Big</fullName><active>true</active><label>Big</label></recordTypes><fields><fullName>Country__c</fullName>{COUNTRY}</fields>"
    (whole / "objects" / "Account.object").write_text(f"{HEAD}<CustomObject {XMLNS}>{account}</CustomObject>")
    (whole / "globalValueSets").mkdir()
    (whole / "globalValueSets" / "Countries.globalValueSet").write_text(
        f"{HEAD}<GlobalValueSet {XMLNS}>{COUNTRIES}</GlobalValueSet>"
    )
    there, here = load_schema_from(whole), load_schema_from(root)
    for name in ("Key__c", "Status__c"):
        assert sobject(there, "Invoice__c").field(name) == sobject(here, "Invoice__c").field(name)
    assert sobject(there, "Account").field("Country__c") == sobject(here, "Account").field("Country__c")
    assert [each.developer_name for each in sobject(there, "Account").record_types] == ["Big"]
    assert there.notes == ()


@pytest.mark.parametrize(
    ("path", "inside", "told"),
    [
        ("Bad__c", "<type>Location</type>", ":2: Bad__c: a field of type Location cannot be imitated; the field is ignored"),
        ("Far__c", "<type>Lookup</type><referenceTo>Far__c</referenceTo>", ":2: Invoice__c.Far__c is ignored: it refers to Far__c, which is not in the source"),
        ("Sum__c", "<type>Text</type>\n<formula>VLOOKUP(Name)</formula>", ":2: Invoice__c.Sum__c: "),
        ("Day__c", "<type>Date</type>\n<defaultValue>TODAY()</defaultValue>", ":4: Day__c: the default formula is not computed"),
        ("Odd__c", "<type>Text</type><length>x</length>", ":2: length is no number: x; the field is ignored"),
        ("Set__c", "<type>Picklist</type><valueSet><valueSetName>None</valueSetName></valueSet>", ":3: Set__c: the global value set None is not in the source; any value is taken"),
        ("Two__c", "<type>Summary</type><summarizedField>Line__c.No__c</summarizedField><summaryForeignKey>Line__c.Invoice__c</summaryForeignKey><summaryOperation>sum</summaryOperation>", "the field is ignored"),
        ("Cut__c", "<type>", ": cannot be read: mismatched tag"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_over_is_told_with_its_place(
    root: Path, path: str, inside: str, told: str
) -> None:
    write(root, f"objects/Invoice__c/fields/{path}.field-meta.xml", inside)
    found = notes(root)
    assert len(found) == 1
    assert told in found[0]
    assert sobject(load_schema_from(root), "Invoice__c").field("Key__c")


@pytest.mark.parametrize(
    ("path", "kind", "inside", "told"),
    [
        ("objects/Setting__mdt/Setting__mdt.object-meta.xml", "CustomObject", "<label>S</label>", "is ignored"),
        ("objects/Solution/fields/A__c.field-meta.xml", "CustomField", KEY, "no such standard object"),
        ("objects/Conf__c/Conf__c.object-meta.xml", "CustomObject", "<customSettingsType>List</customSettingsType>", "no object with records of its own"),
        ("duplicateRules/Account.One.duplicateRule-meta.xml", "DuplicateRule", "<isActive>true</isActive><duplicateRuleMatchRules><matchRuleSObjectType>Account</matchRuleSObjectType><matchingRule>Standard</matchingRule></duplicateRuleMatchRules>", "the matching rule Standard is not in the source"),
        ("standardValueSets/Unheard.standardValueSet-meta.xml", "StandardValueSet", "", "no field here has it"),
    ],
)  # fmt: skip
def test_kinds_that_are_not_imitated_are_told(
    root: Path, path: str, kind: str, inside: str, told: str
) -> None:
    write(root, path, inside, kind)
    found = notes(root)
    assert len(found) == 1
    assert told in found[0]


def test_formulas_and_validation_rules_are_taken(root: Path) -> None:
    write(
        root,
        "objects/Line__c/fields/Half__c.field-meta.xml",
        "<type>Currency</type><precision>16</precision><scale>2</scale><formula>Amount__c / 2</formula><formulaTreatBlanksAs>BlankAsBlank</formulaTreatBlanksAs>",
    )
    rule = "<active>{}</active><errorConditionFormula>{}</errorConditionFormula><errorDisplayField>Amount__c</errorDisplayField><errorMessage>Too little.</errorMessage>"
    for name, active, formula in (
        ("Enough", "true", "Amount__c &lt; 1"),
        ("Off", "false", "1"),
        ("Strange", "true", "\nVLOOKUP(1)"),
    ):
        write(
            root,
            f"objects/Line__c/validationRules/{name}.validationRule-meta.xml",
            rule.format(active, formula),
            "ValidationRule",
        )
    loaded = load_schema_from(root)
    line = sobject(loaded, "Line__c")
    half = line.field("Half__c")
    assert half
    assert (half.formula, half.blanks_as_zero, half.calculated) == ("Amount__c / 2", False, True)
    assert [(each.name, each.message, each.field) for each in line.validation_rules] == [
        ("Enough", "Too little.", "Amount__c")
    ]
    (note,) = loaded.notes
    assert str(note).endswith("the rule is ignored")
    assert (note.path.rpartition("/")[2], note.line) == ("Strange.validationRule-meta.xml", 2)


def test_duplicate_rules_go_by_their_matching_rules(root: Path) -> None:
    item = "<matchingRuleItems><blankValueBehavior>{}</blankValueBehavior><fieldName>{}</fieldName><matchingMethod>{}</matchingMethod></matchingRuleItems>"
    items = item.format("NullNotAllowed", "Name", "Exact") + item.format("MatchBlanks", "BillingCity", "City")
    rules = f"<matchingRules><fullName>Same</fullName><booleanFilter>1 AND 2</booleanFilter>{items}</matchingRules>"
    write(root, "matchingRules/Account.matchingRule-meta.xml", rules, "MatchingRules")
    rule = """<actionOnInsert>Block</actionOnInsert><actionOnUpdate>Allow</actionOnUpdate><alertText>Again?</alertText>
<duplicateRuleMatchRules><matchRuleSObjectType>Account</matchRuleSObjectType><matchingRule>Same</matchingRule></duplicateRuleMatchRules>
<isActive>true</isActive><operationsOnUpdate>Alert</operationsOnUpdate><operationsOnUpdate>Report</operationsOnUpdate>"""
    write(root, "duplicateRules/Account.Twice.duplicateRule-meta.xml", rule, "DuplicateRule")
    loaded = load_schema_from(root)
    (found,) = sobject(loaded, "Account").duplicate_rules
    assert (found.name, found.on_insert, found.on_update, found.message) == (
        "Twice",
        "block",
        "alert",
        "Again?",
    )
    (matching,) = found.matching
    assert [(each.field, str(each.method), each.blanks) for each in matching.fields] == [
        ("Name", "exact", False),
        ("BillingCity", "normalised", True),
    ]
    assert "the method City compares letters and digits only" in str(loaded.notes[0])


def test_a_document_that_names_files_is_refused(root: Path) -> None:
    file = write(root, "objects/Invoice__c/fields/Evil__c.field-meta.xml", "<type>Text</type>")
    file.write_text('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><CustomField>&x;</CustomField>')
    assert "cannot be read" in notes(root)[0]


def test_fields_of_activities_are_those_of_tasks_and_events(root: Path) -> None:
    write(root, "objects/Activity/fields/Old_Id__c.field-meta.xml", KEY)
    loaded = load_schema_from(root)
    assert sobject(loaded, "Task").field("Old_Id__c")
    assert sobject(loaded, "Event").field("Old_Id__c")


def test_record_types_of_person_accounts_turn_them_on(root: Path) -> None:
    write(
        root,
        "objects/PersonAccount/recordTypes/Patient.recordType-meta.xml",
        "<label>Patient</label>",
        "RecordType",
    )
    account = sobject(load_schema_from(root), "Account")
    assert account.field("IsPersonAccount")
    assert next((each.developer_name, each.person) for each in account.record_types if each.person) == (
        "Patient",
        True,
    )


def test_a_folder_without_anything_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SchemaInvalid, match="neither metadata source"):
        load_schema_from(tmp_path)
    (tmp_path / "objects").mkdir()
    with pytest.raises(SchemaInvalid, match="no objects that can be imitated"):
        load_schema_from(tmp_path)
