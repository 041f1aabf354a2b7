"""EntityDefinition and FieldDefinition: the schema as records, made when a query first asks for them."""

from collections.abc import Mapping

from migrator.simulator.orgstate import OrgState
from migrator.simulator.schema.model import Field, Schema, SObject

NAMES = frozenset({"entitydefinition", "fielddefinition"})


class Definitions:
    """The records about one org's schema."""

    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._schema: Schema | None = None

    def renew(self) -> None:
        """Make sure that they are there, and of the schema as it is."""
        org = self._org
        if self._schema is org.schema:
            return
        self._schema = org.schema
        entities = [_entity(sobject) for sobject in org.schema.sobjects]
        fields = [_field(sobject, field) for sobject in org.schema.sobjects for field in sobject.fields]
        for name, rows in (("EntityDefinition", entities), ("FieldDefinition", fields)):
            table = org.store.table(name)
            for seq in list(table.scan()):
                table.purge(seq)
            columns = {key: [row[key] for row in rows] for key in rows[0]}
            table.insert_columns(columns, len(rows))


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _entity(sobject: SObject) -> Mapping[str, str]:
    return {
        "DurableId": sobject.name,
        "QualifiedApiName": sobject.name,
        "DeveloperName": sobject.name.removesuffix("__c"),
        "Label": sobject.label,
        "PluralLabel": sobject.plural,
        "KeyPrefix": sobject.prefix,
        "IsCustomizable": _flag(sobject.createable and sobject.updateable),
        "IsEverCreatable": _flag(sobject.createable),
        "IsEverUpdatable": _flag(sobject.updateable),
        "IsEverDeletable": _flag(sobject.deletable),
        "IsIdEnabled": "true",
        "IsQueryable": "true",
        "IsRetrieveable": "true",
    }


def _field(sobject: SObject, field: Field) -> Mapping[str, str]:
    return {
        "DurableId": f"{sobject.name}.{field.name}",
        "EntityDefinitionId": sobject.name,
        "QualifiedApiName": field.name,
        "DeveloperName": field.name.removesuffix("__c"),
        "Label": field.label,
        "DataType": str(field.type),
        "Length": str(field.length),
        "Precision": str(field.precision),
        "Scale": str(field.scale),
        "RelationshipName": field.relationship or "",
        "IsCalculated": _flag(field.calculated),
        "IsIndexed": _flag(field.external_id or field.id_lookup or field.unique),
        "IsNillable": _flag(field.nillable),
        "IsNameField": _flag(field.name_field),
        "IsPolymorphicForeignKey": _flag(field.polymorphic),
    }
