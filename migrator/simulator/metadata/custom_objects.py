"""CustomObject and CustomField: new custom objects and fields of simple types, in an org that is running.

In a real org nobody sees a deployed field before a permission says so. Here administrators do; others as there.
"""

from collections.abc import Sequence
from dataclasses import replace

from migrator.simulator.metadata.kinds import Applied, Component, Problem
from migrator.simulator.orgstate import OrgState
from migrator.simulator.schema.custom import custom_field, custom_object, custom_prefix
from migrator.simulator.schema.model import Field, FieldType, SObject
from migrator.simulator.schema.sfdxfield import Sink, Unreadable, read_field
from migrator.simulator.soap import children, text_of
from migrator.simulator.xmltree import Parsed, escape, read_numbered, write

# kinds of fields that can come while records are there, and what metadata calls them
_SIMPLE = {
    "checkbox": "Checkbox",
    "currency": "Currency",
    "date": "Date",
    "datetime": "DateTime",
    "email": "Email",
    "lookup": "Lookup",
    "long_text": "LongTextArea",
    "number": "Number",
    "percent": "Percent",
    "phone": "Phone",
    "picklist": "Picklist",
    "text": "Text",
    "text_area": "TextArea",
    "url": "Url",
}
_BY_TYPE = {
    FieldType.BOOLEAN: "Checkbox",
    FieldType.DATE: "Date",
    FieldType.DATETIME: "DateTime",
    FieldType.DOUBLE: "Number",
    FieldType.CURRENCY: "Currency",
    FieldType.PERCENT: "Percent",
    FieldType.EMAIL: "Email",
    FieldType.MULTIPICKLIST: "MultiselectPicklist",
    FieldType.PHONE: "Phone",
    FieldType.PICKLIST: "Picklist",
    FieldType.REFERENCE: "Lookup",
    FieldType.STRING: "Text",
    FieldType.TIME: "Time",
    FieldType.URL: "Url",
    FieldType.ENCRYPTED: "EncryptedText",
}


class CustomObjects:
    """The kind of metadata."""

    type = "CustomObject"
    single = "CustomObject"
    directory = "objects"
    suffix = "object"
    children: Sequence[str] = ("CustomField",)

    def parts(self, file: str, element: Parsed, api: int) -> list[Component]:
        """The object, and each of its fields."""
        name = file.rpartition("/")[2].removesuffix(f".{self.suffix}")
        made = [Component(self.type, name, file, element, api)]
        return made + [
            Component("CustomField", f"{name}.{text_of(each, 'fullName')}", file, each, api)
            for each in children(element, "fields")
        ]

    def apply(self, org: OrgState, component: Component, user_id: str) -> Applied:
        """Add or change the object or the field."""
        if not org.view(user_id).may("CustomizeApplication"):
            raise Problem(
                "You do not have the level of access necessary to perform the operation you requested: Customize Application",
                "INSUFFICIENT_ACCESS",
            )
        held = org.schema
        if component.type == "CustomField":
            created, changed = _apply_field(org, component)
        else:
            created, changed = _apply_object(org, component)
        return Applied(changed or created, created, lambda: org.reshape(held))

    def names(self, org: OrgState, type_: str) -> list[str]:
        """All sObjects, or all custom fields."""
        if type_ == self.type:
            return [each.name for each in org.schema.sobjects if each.layoutable or each.custom]
        return [
            f"{each.name}.{field.name}"
            for each in org.schema.sobjects
            for field in each.fields
            if field.name.endswith("__c")
        ]

    def file_of(self, full_name: str) -> str:
        """Fields are in the file of their object."""
        return full_name.partition(".")[0]

    def part(self, org: OrgState, full_name: str, api: int) -> str | None:
        """A field, in the file of its object."""
        body = self.body(org, full_name, api)
        name = full_name.partition(".")[2]
        return None if body is None else f"<fields><fullName>{name}</fullName>{body}</fields>"

    def body(self, org: OrgState, full_name: str, api: int) -> str | None:  # noqa: ARG002 - alike in all versions
        """The object's label and custom fields, or one field."""
        name, dot, field_name = full_name.partition(".")
        sobject = org.schema.sobject(name)
        if sobject is None:
            return None
        if dot:
            field = sobject.field(field_name)
            return _field_body(field) if field is not None and field.name.endswith("__c") else None
        fields = "".join(
            f"<fields><fullName>{each.name}</fullName>{_field_body(each)}</fields>"
            for each in sobject.fields
            if each.name.endswith("__c")
        )
        if not sobject.custom:
            return fields
        names = f"<label>{escape(sobject.label)}</label><pluralLabel>{escape(sobject.plural)}</pluralLabel>"
        return f"<deploymentStatus>Deployed</deploymentStatus>{fields}{names}<sharingModel>ReadWrite</sharingModel>"


def _apply_object(org: OrgState, component: Component) -> tuple[bool, bool]:
    name, element = component.full_name, component.element
    held = org.schema.sobject(name)
    if held is not None and not held.custom:
        return False, False  # what source says of a standard object are settings that do nothing here
    label, plural = text_of(element, "label"), text_of(element, "pluralLabel")
    if held is not None:
        made = replace(held, label=label or held.label, plural=plural or held.plural)
        if made == held:
            return False, False
        org.change(made)
        return False, True
    if not name.endswith("__c"):
        raise Problem(f"Object {name} does not exist and cannot be created")
    for tag, text in (("label", label), ("pluralLabel", plural)):
        if not text:
            raise Problem(f"Must specify a non-empty {tag} for the CustomObject", "REQUIRED_FIELD_MISSING")
    made = custom_object(name, {"label": label, "plural": plural}, _free_place(org))
    org.change(made)
    return True, True


def _free_place(org: OrgState) -> int:
    taken = {each.prefix for each in org.schema.sobjects}
    return next(place for place in range(62 * 62) if custom_prefix(place) not in taken)


def _apply_field(org: OrgState, component: Component) -> tuple[bool, bool]:
    name, _, field_name = component.full_name.partition(".")
    sobject = org.schema.sobject(name)
    if sobject is None:
        raise Problem(f"Entity Enumeration Or ID: bad value for restricted picklist field: {name}")
    if not field_name.endswith("__c"):
        raise Problem(f"The simulator cannot change the standard field {component.full_name}")
    others = tuple(each for each in sobject.fields if each.name.lower() != field_name.lower())
    made = _made(org, sobject, others, component, field_name)
    held = sobject.field(field_name)
    if held is None:
        org.change(replace(sobject, fields=(*sobject.fields, made)))
        return True, True
    if held.type is not made.type:
        raise Problem(f"Cannot change the type of {component.full_name} while it holds data")
    if held == made:
        return False, False
    org.change(replace(sobject, fields=tuple(made if each is held else each for each in sobject.fields)))
    return False, True


def _made(
    org: OrgState, sobject: SObject, others: tuple[Field, ...], component: Component, name: str
) -> Field:
    said: list[str] = []
    sink = Sink(lambda _, text: said.append(text))
    try:
        given = read_field(read_numbered(write(component.element)), name, sink)
        if given["type"] not in _SIMPLE or "formula" in given or "controlled_by" in given:
            raise Problem(f"The simulator cannot add a field of this kind to a running org: {name}")
        if said:
            raise Problem(said[0])
        made = custom_field(sobject, others, name, given)
    except (Unreadable, ValueError) as fault:
        raise Problem(str(fault)) from None
    missing = [each for each in made.reference_to if org.schema.sobject(each) is None]
    if missing:
        raise Problem(f"referenceTo value of '{missing[0]}' does not resolve to a valid sObject type")
    return made


def _field_body(field: Field) -> str:
    kind = _BY_TYPE.get(field.type, "Text")
    if field.relationship_order is not None:
        kind = "MasterDetail"
    elif field.type is FieldType.TEXTAREA:
        kind = "LongTextArea" if not field.filterable else "TextArea"
    parts = [f"<label>{escape(field.label)}</label>"]
    if field.external_id:
        parts.append("<externalId>true</externalId>")
    if kind in {"Text", "LongTextArea"}:
        parts.append(f"<length>{field.length}</length>")
    if kind in {"Number", "Currency", "Percent"}:
        parts.append(f"<precision>{field.precision}</precision><scale>{field.scale}</scale>")
    if field.reference_to:
        parts.append(f"<referenceTo>{field.reference_to[0]}</referenceTo>")
    parts.append(f"<type>{kind}</type>")
    if field.unique:
        parts.append("<unique>true</unique>")
    return "".join(parts)
