"""Files: documents that come with their first version, versions that follow each other, links, and the size of bodies."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from migrator.simulator.orgstate import OrgState
from migrator.simulator.records.blobs import blob_of
from migrator.simulator.records.execution import Effect, Saved, Saving
from migrator.simulator.records.results import RowError
from migrator.simulator.records.truth import Change
from migrator.simulator.records.values import moment
from migrator.simulator.rules.making import make_records

_NEW, _CHANGED = frozenset({Change.CREATED}), frozenset({Change.UPDATED})
# what a file is called by its extension, where that is not simply the extension in capitals
_TYPES = {
    "docx": "WORD_X",
    "doc": "WORD",
    "xlsx": "EXCEL_X",
    "xls": "EXCEL",
    "pptx": "POWER_POINT_X",
    "ppt": "POWER_POINT",
    "txt": "TEXT",
    "jpg": "JPG",
    "": "UNKNOWN",
}
_COPIED = ("Title", "Description", "FileType", "FileExtension", "ContentSize", "ContentModifiedDate")


def add(org: OrgState) -> None:
    """Add the rules to the org's."""
    for name in ("Attachment", "Document"):
        if org.schema.sobject(name) is not None:
            org.dml.rules(name).defaults.append(_body_length)
    if org.schema.sobject("ContentVersion") is None:
        return
    files = _Files(org)
    rules = org.dml.rules("ContentVersion")
    rules.checks.append(_required)
    rules.defaults.append(files.fill)
    rules.effects.append(Effect(files.publish, changes=_NEW))
    rules.effects.append(Effect(files.rename, frozenset({"Title", "Description"}), _CHANGED))
    org.dml.rules("ContentDocumentLink").defaults.append(_share)
    documents = org.dml.rules("ContentDocument")
    documents.effects.append(Effect(files.rename_version, frozenset({"Title", "Description"}), _CHANGED))


def _body_length(saving: Saving) -> None:
    if saving.gives("Body"):
        sizes = [str(blob_of(cell).length) if cell else "" for cell in saving.new("Body")]
        saving.set("BodyLength", sizes)


def _share(saving: Saving) -> None:
    if "" in saving.new("ShareType"):
        saving.set("ShareType", [cell or "V" for cell in saving.new("ShareType")])


def _required(saving: Saving) -> None:
    """A version has bytes, or is somewhere else."""
    if not saving.inserts:
        return
    columns = (saving.new(name) for name in ("VersionData", "ContentUrl", "PathOnClient", "ContentLocation"))
    for row, data, url, path, place in zip(saving.rows, *columns, strict=True):
        if row in saving.updates:
            continue
        gone = [
            name
            for name, cell in (("VersionData", data), ("PathOnClient", path))
            if not cell and not url and place == "S"
        ]
        if gone:
            text = f"Required fields are missing: [{', '.join(gone)}]"
            saving.fault(row, RowError("REQUIRED_FIELD_MISSING", text, tuple(gone)))


class _Files:
    def __init__(self, org: OrgState) -> None:
        self._org = org
        self._versions = org.store.table("ContentVersion")
        self._documents = org.store.table("ContentDocument")

    def fill(self, saving: Saving) -> None:
        """What follows from the bytes and the path of a new version."""
        if not saving.inserts:
            return
        paths = [PurePath(path.replace("\\", "/")) for path in saving.new("PathOnClient")]
        extensions = [path.suffix.removeprefix(".") for path in paths]
        blobs = [blob_of(cell) if cell else None for cell in saving.new("VersionData")]
        fresh, stamp = saving.fresh, moment(saving.context.now)
        titles = zip(saving.new("Title"), paths, saving.new("ContentUrl"), strict=True)
        made: Mapping[str, Sequence[str]] = {
            "Title": [title or path.stem or url for title, path, url in titles],
            "FileExtension": extensions,
            "FileType": [_TYPES.get(each.lower(), each.upper()) for each in extensions],
            "ContentSize": [str(blob.length) if blob else "" for blob in blobs],
            "Checksum": [blob.md5 if blob else "" for blob in blobs],
            "IsLatest": ["true"] * len(fresh),
            "ContentModifiedDate": [stamp] * len(fresh),
            "ContentModifiedById": [saving.context.actor] * len(fresh),
        }
        for name, cells in made.items():
            kept = zip(fresh, cells, saving.new(name), strict=True)
            saving.set(name, [cell if new else held for new, cell, held in kept])

    def publish(self, saved: Saved) -> None:
        """The document of a first version, with its links; a next version takes its place in the document."""
        ids = saved.table.ids_of(saved.seqs)
        documents = saved.now("ContentDocumentId")
        first = [place for place, document in enumerate(documents) if not document]
        for place, document in enumerate(documents):
            if document:
                self._follow(document, saved.seqs[place], ids[place])
        if not first:
            return
        seqs = [saved.seqs[place] for place in first]
        columns = {name: saved.table.cells(seqs, name) for name in (*_COPIED, "OwnerId")}
        columns["LatestPublishedVersionId"] = [ids[place] for place in first]
        made = make_records(self._org, "ContentDocument", columns, saved.context)
        self._versions.update_columns(
            seqs, {"ContentDocumentId": made if len(made) > 1 else tuple(made), "VersionNumber": ("1",)}
        )
        self._link(saved, seqs, made)

    def _link(self, saved: Saved, seqs: Sequence[int], documents: Sequence[str]) -> None:
        """The owner of a file has it, and so has the record where it was published first."""
        links: list[tuple[str, str, str]] = []
        owners = saved.table.cells(seqs, "OwnerId")
        places = saved.table.cells(seqs, "FirstPublishLocationId")
        for document, owner, place in zip(documents, owners, places, strict=True):
            links.append((document, owner, "I"))
            if place and place != owner:
                links.append((document, place, "V"))
        files, records, shares = zip(*links, strict=True)
        columns = {
            "ContentDocumentId": files,
            "LinkedEntityId": records,
            "ShareType": shares,
            "Visibility": ["AllUsers"] * len(links),
        }
        make_records(self._org, "ContentDocumentLink", columns, saved.context)

    def _follow(self, document: str, seq: int, version: str) -> None:
        others = [each for each in self._versions.find("ContentDocumentId", document) if each != seq]
        numbers = [int(cell or 0) for cell in self._versions.cells(others, "VersionNumber")]
        if others:
            self._versions.update_columns(others, {"IsLatest": ("false",)})
        self._versions.update(seq, {"VersionNumber": str(max(numbers, default=0) + 1)})
        values = {name: self._versions.cell(seq, name) for name in _COPIED}
        place = self._documents.seq_of(document)
        self._documents.update(place, {**values, "LatestPublishedVersionId": version})

    def rename(self, saved: Saved) -> None:
        """The document is called as its latest version."""
        for seq, document, latest in zip(
            saved.seqs, saved.now("ContentDocumentId"), saved.now("IsLatest"), strict=True
        ):
            if latest == "true":
                values = {name: self._versions.cell(seq, name) for name in ("Title", "Description")}
                self._documents.update(self._documents.seq_of(document), values)

    def rename_version(self, saved: Saved) -> None:
        """… and the other way round."""
        for seq, version in zip(saved.seqs, saved.now("LatestPublishedVersionId"), strict=True):
            place = self._versions.seq_of(version)
            if place:
                values = {name: self._documents.cell(seq, name) for name in ("Title", "Description")}
                self._versions.update(place, values)
