"""Who may do what: the records of profiles and permission sets, added up for a user.

The rows of ObjectPermissions and FieldPermissions of profiles and permission sets that came with the org are written when somebody
first looks at those tables, or acts with less than everything: an org whose only user is an administrator never has them.
"""

from collections.abc import Callable, Iterable

from migrator.simulator.records.store import Store, Table
from migrator.simulator.schema.model import Schema
from migrator.simulator.schema.people import ALL, NOTHING, USER_PERMISSIONS, Granted, ObjectRights
from migrator.simulator.schema.view import (
    Rights,
    View,
    has_field_permissions,
    has_object_permissions,
    restricted,
)

_ROWS = ("ObjectPermissions", "FieldPermissions")
_SOURCES = ("User", "PermissionSet", "PermissionSetAssignment", "SetupEntityAccess", *_ROWS)


class Grants:
    """The permissions of one org's users. Looked up once for each user, and again when a record that counts changed."""

    def __init__(self, store: Store, stamp: Callable[[], dict[str, str]]) -> None:
        self._store = store
        self._stamp = stamp  # the audit fields of rows that come with the org
        self._given: dict[str, Granted] = {}  # by permission set that came with the org
        self._written: set[str] | None = None  # the sObjects and fields that there are rows of
        self._views: dict[str, View] = {}
        self._seen = -1  # of the tables that count
        self._all = View(store.schema, frozenset(USER_PERMISSIONS))
        store.later(_ROWS, self._write)

    def forget(self) -> None:
        """The schema is another one."""
        self._views.clear()
        self._all = View(self._store.schema, self._all.user)
        if self._written is not None:
            self._write()

    def come_with(self, permission_set_id: str, granted: Granted) -> None:
        """What a permission set of a new org gives."""
        self._given[permission_set_id] = granted

    def view(self, user_id: str) -> View:
        """What the user sees and may do; `""` is the system itself."""
        if not user_id:
            return self._all
        seen = sum(self._store.version(name) for name in _SOURCES)
        if seen != self._seen:
            self._views.clear()
            self._seen = seen
        found = self._views.get(user_id)
        if found is None:
            found = self._views[user_id] = self._make(user_id)
            self._seen = sum(self._store.version(name) for name in _SOURCES)
        return found

    def _make(self, user_id: str) -> View:
        sets = self._permission_sets(user_id)
        table = self._store.table("PermissionSet")
        user = frozenset(
            name
            for name in USER_PERMISSIONS
            if any(table.cell(seq, f"Permissions{name}") == "true" for seq in sets)
        )
        ids = table.ids_of(sets)
        untouched = self._written is None
        whole = untouched and any(each in self._given and self._given[each].everything for each in ids)
        if whole and user.issuperset(("ManageUsers", "ViewSetup", "CustomizeApplication")):
            return View(self._store.schema, user, self._custom(ids))
        schema = self._store.schema
        return View(restricted(schema, self._rights(schema, ids, user)), user, self._custom(ids))

    def _permission_sets(self, user_id: str) -> list[int]:
        """The profile's and those that the user is assigned, by number."""
        users, sets = self._store.table("User"), self._store.table("PermissionSet")
        seq = users.seq_of(user_id)
        profile = users.cell(seq, "ProfileId") if seq else ""
        found = sets.find("ProfileId", profile) if profile else []
        assigned = self._store.table("PermissionSetAssignment")
        for each in assigned.find("AssigneeId", user_id):
            place = sets.seq_of(assigned.cell(each, "PermissionSetId"))
            if sets.exists(place):
                found.append(place)
        return found

    def _custom(self, permission_set_ids: Iterable[str]) -> frozenset[str]:
        access, custom = self._store.table("SetupEntityAccess"), self._store.table("CustomPermission")
        given = (
            custom.seq_of(access.cell(seq, "SetupEntityId"))
            for each in permission_set_ids
            for seq in access.find("ParentId", each)
        )
        return frozenset(custom.cell(seq, "DeveloperName") for seq in given if seq and custom.exists(seq))

    def _rights(self, schema: Schema, permission_set_ids: Iterable[str], user: frozenset[str]) -> Rights:
        objects, fields = (self._store.table(name) for name in _ROWS)
        allowed: dict[str, ObjectRights] = {}
        readable: set[str] = set()
        editable: set[str] = set()
        for each in permission_set_ids:
            for seq in objects.find("ParentId", each):
                name = objects.cell(seq, "SobjectType")
                allowed[name] = allowed.get(name, NOTHING) | _object_rights(objects, seq)
            for seq in fields.find("ParentId", each):
                name = fields.cell(seq, "Field")
                if fields.cell(seq, "PermissionsEdit") == "true":
                    editable.add(name)
                    readable.add(name)
                elif fields.cell(seq, "PermissionsRead") == "true":
                    readable.add(name)
        if "ModifyAllData" in user or "ViewAllData" in user:
            least = ALL if "ModifyAllData" in user else ObjectRights(read=True)
            for sobject in schema.sobjects:
                allowed[sobject.name] = allowed.get(sobject.name, NOTHING) | least
        return Rights(allowed, frozenset(readable), frozenset(editable), user)

    # --- rows of a new org ---------------------------------------------------------------------------------------

    def _write(self) -> None:
        """The rows of what there are none of yet: of everything, or of what was added to the schema since."""
        schema, held = self._store.schema, self._written or set()
        self._written = {
            *(sobject.name for sobject in schema.sobjects),
            *(f"{sobject.name}.{field.name}" for sobject in schema.sobjects for field in sobject.fields),
        }
        objects, fields = (self._store.table(name) for name in _ROWS)
        for permission_set_id, granted in self._given.items():
            new = [row for row in _object_rows(schema, granted) if row["SobjectType"] not in held]
            self._insert(objects, permission_set_id, new)
            new = [row for row in _field_rows(schema, granted) if row["Field"] not in held]
            self._insert(fields, permission_set_id, new)

    def _insert(self, table: Table, permission_set_id: str, rows: list[dict[str, str]]) -> None:
        if not rows:
            return
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        stamps = {
            name: (cell,) for name, cell in self._stamp().items() if table.sobject.field(name) is not None
        }
        journal, table.journal = table.journal, None  # they were always there: no transaction takes them back
        table.insert_columns({"ParentId": (permission_set_id,), **stamps, **columns}, len(rows))
        table.journal = journal


def _object_rights(table: Table, seq: int) -> ObjectRights:
    def has(name: str) -> bool:
        return table.cell(seq, f"Permissions{name}") == "true"

    every = has("ModifyAllRecords")
    return ObjectRights(
        read=every or has("Read") or has("ViewAllRecords"),
        create=has("Create"),
        edit=every or has("Edit"),
        delete=every or has("Delete"),
    )


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _object_rows(schema: Schema, granted: Granted) -> list[dict[str, str]]:
    rows = []
    every = "ModifyAllData" in granted.user
    for sobject in schema.sobjects:
        rights = granted.of_object(sobject.name)
        if rights != NOTHING and has_object_permissions(sobject):
            rows.append(
                {
                    "SobjectType": sobject.name,
                    "PermissionsCreate": _flag(rights.create),
                    "PermissionsRead": _flag(rights.read),
                    "PermissionsEdit": _flag(rights.edit),
                    "PermissionsDelete": _flag(rights.delete),
                    "PermissionsViewAllRecords": _flag(every),
                    "PermissionsModifyAllRecords": _flag(every),
                }
            )
    return rows


def _field_rows(schema: Schema, granted: Granted) -> list[dict[str, str]]:
    rows = []
    for sobject in schema.sobjects:
        for field in sobject.fields:
            access = granted.of_field(sobject.name, field.name)
            if access != "none" and has_field_permissions(sobject, field):
                edit = access == "edit" and (field.createable or field.updateable)
                rows.append(
                    {
                        "SobjectType": sobject.name,
                        "Field": f"{sobject.name}.{field.name}",
                        "PermissionsRead": "true",
                        "PermissionsEdit": _flag(edit),
                    }
                )
    return rows
