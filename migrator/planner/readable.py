"""The source side of one plan object, seen alike whether it is an sObject or a CSV file."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from migrator.model.plan import FilesEnd, ObjectPlan
from migrator.model.schema import SObjectSchema

#: what a Bulk query job cannot return (Bulk API guide, "Bulk API 2.0 query limitations": compound and binary fields)
UNREADABLE = frozenset({"address", "location", "base64"})


@dataclass(frozen=True, slots=True)
class FileColumns:
    """The header of each object's CSV file, by the object's name in the plan."""

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Readable:
    """What can be read of a plan object: columns by name, without regard to case."""

    #: how messages call it
    label: str
    #: canonical names by casefolded name
    names: Mapping[str, str]
    #: casefolded relationship names: `Owner.Name` can be read through `owner`
    relationships: frozenset[str] = frozenset()
    #: None: a file
    schema: SObjectSchema | None = None

    def find(self, name: str) -> str | None:
        """The column of that name as the source spells it; a path over a relationship stands for itself."""
        found = self.names.get(name.casefold())
        if found is None and "." in name and name.partition(".")[0].casefold() in self.relationships:
            return name
        return found


def readable_sobject(schema: SObjectSchema) -> Readable:
    """The readable columns of an sObject."""
    return Readable(
        label=f"sObject {schema.name} of the source org",
        names={name.casefold(): name for name, one in schema.fields.items() if one.type not in UNREADABLE},
        relationships=frozenset(
            one.relationship_name.casefold() for one in schema.fields.values() if one.relationship_name
        ),
        schema=schema,
    )


def readable_file(path: str, columns: tuple[str, ...]) -> Readable:
    """The columns of a CSV file."""
    return Readable(label=f"file {path}", names={name.casefold(): name for name in columns})


def file_path(end: FilesEnd, one: ObjectPlan) -> str:
    """The object's CSV file, relative to the plan's folder."""
    name = one.file or f"{one.source_object}.csv"
    return name if name.startswith("/") else f"{end.files.rstrip('/')}/{name}"
