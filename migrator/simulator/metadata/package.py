"""A metadata package: a zip of components and the `package.xml` that lists them, read without trusting it, and written.

**Invariant:** nothing of a zip is ever written to a disk, and no more is unpacked than the limits allow.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from migrator.simulator.soap import children, text_of
from migrator.simulator.xmltree import HEAD, NotXml, escape, read

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
MAX_FILES = 10_000  # files of one deployment; Metadata API limits
MAX_UNPACKED = 400 * 1024 * 1024  # bytes; Metadata API limits
MANIFEST = "package.xml"
FOREVER = (1980, 1, 1, 0, 0, 0)  # the time of every entry that we write: equal content, equal bytes


class PackageInvalid(Exception):  # noqa: N818 - what the package is
    """A zip that is no package; the text is what the org says of it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `package.xml` lists: type → members."""

    members: Mapping[str, Sequence[str]] = field(default_factory=dict)
    version: str = ""

    def lists(self, type_: str, member: str) -> bool:
        """Whether it lists this component, by name or all of its type."""
        listed = self.members.get(type_, ())
        return member in listed or "*" in listed


@dataclass(frozen=True, slots=True)
class Package:
    """An unpacked package: its manifest, and its other files by path below the package's folder."""

    manifest: Manifest
    files: Mapping[str, bytes]


def unpack(data: bytes, most: int = MAX_UNPACKED) -> Package:
    """The package in a zip: `package.xml` at its root or in its one folder. No more than `most` bytes are unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = _entries(archive, most)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as fault:
        raise PackageInvalid("The zip file can't be read") from fault
    root = min((path for path in found if PurePosixPath(path).name == MANIFEST), key=len, default=None)
    if root is None:
        raise PackageInvalid("No package.xml found")
    folder = root.removesuffix(MANIFEST)
    files = {path.removeprefix(folder): content for path, content in found.items() if path.startswith(folder)}
    try:
        manifest = read_manifest(files.pop(MANIFEST))
    except NotXml as fault:
        raise PackageInvalid(f"Error parsing file: {fault}") from fault
    return Package(manifest, files)


def _entries(archive: zipfile.ZipFile, most: int) -> dict[str, bytes]:
    listed = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(listed) > MAX_FILES:
        raise PackageInvalid(f"Maximum number of files in request exceeded: {MAX_FILES}")
    if len({entry.filename for entry in listed}) != len(listed):
        raise PackageInvalid("The zip file has two entries of one name")
    left = most
    found: dict[str, bytes] = {}
    for entry in listed:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or entry.flag_bits & 1:
            raise PackageInvalid("The zip file has an entry that can't be unpacked")
        with archive.open(entry) as stream:  # the sizes that a zip states may be false
            content = stream.read(left + 1)
        left -= len(content)
        if left < 0:
            raise PackageInvalid(f"Maximum size of the unpacked files exceeded: {most} bytes")
        found[entry.filename] = content
    return found


def read_manifest(data: bytes) -> Manifest:
    """What a `package.xml` lists; raises `NotXml`."""
    root = read(data)
    return manifest_of(root)


def manifest_of(root: object) -> Manifest:
    """What an element with `types` and `version` lists: a manifest's root, or `unpackaged` of a retrieval."""
    members: dict[str, list[str]] = {}
    for types in children(root, "types"):
        held = members.setdefault(text_of(types, "name"), [])
        held += [(each.text or "").strip() for each in children(types, "members")]
    return Manifest(members, text_of(root, "version"))


def write_manifest(members: Mapping[str, Sequence[str]], version: str) -> bytes:
    """A `package.xml`."""
    types = "".join(
        "    <types>\n"
        + "".join(f"        <members>{escape(member)}</members>\n" for member in sorted(listed))
        + f"        <name>{escape(name)}</name>\n    </types>\n"
        for name, listed in sorted(members.items())
    )
    shown = f'{HEAD}\n<Package xmlns="{NAMESPACE}">\n{types}    <version>{escape(version)}</version>\n</Package>\n'
    return shown.encode()


def pack(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in sorted(files.items()):
            entry = zipfile.ZipInfo(path, FOREVER)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
