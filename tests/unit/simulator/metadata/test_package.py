"""Zips that nobody should unpack, and what packing and unpacking keep."""

import io
import zipfile

import pytest

from migrator.simulator.metadata.package import (
    MAX_FILES,
    PackageInvalid,
    pack,
    read_manifest,
    unpack,
    write_manifest,
)
from tests.unit.simulator.metadata.metadata_client import zipped

MANIFEST = (
    "<Package><types><members>A</members><name>CustomObject</name></types><version>60.0</version></Package>"
)


def test_a_small_zip_that_becomes_big_is_not_unpacked() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("package.xml", MANIFEST)
        archive.writestr("bomb", bytes(1_000_000))
    assert len(buffer.getvalue()) < 10_000
    with pytest.raises(PackageInvalid, match="Maximum size of the unpacked files exceeded"):
        unpack(buffer.getvalue(), most=100_000)
    assert unpack(buffer.getvalue(), most=2_000_000).files["bomb"] == bytes(1_000_000)


def test_sizes_that_a_zip_states_are_not_believed() -> None:
    data = bytearray(zipped({"package.xml": MANIFEST, "file": "x" * 1000}))
    place = data.index(
        b"PK\x01\x02", data.index(b"PK\x01\x02") + 4
    )  # the directory's entry of the second file
    data[place + 24 : place + 28] = (1).to_bytes(4, "little")
    with pytest.raises(PackageInvalid):
        unpack(bytes(data), most=500)


def test_too_many_files() -> None:
    many = {f"f{number}": "" for number in range(MAX_FILES)} | {"package.xml": MANIFEST}
    with pytest.raises(PackageInvalid, match="Maximum number of files"):
        unpack(zipped(many))


@pytest.mark.parametrize("path", ["/abs", "a/../../b", "a\\b"])
def test_paths_that_lead_elsewhere(path: str) -> None:
    with pytest.raises(PackageInvalid, match="can't be unpacked"):
        unpack(zipped({"package.xml": MANIFEST, path: ""}))


def test_what_is_packed_is_unpacked_and_equal_content_gives_equal_bytes() -> None:
    manifest = write_manifest({"Settings": ["Sharing"], "CustomObject": ["B__c", "A__c"]}, "60.0")
    files = {"package.xml": manifest, "settings/Sharing.settings": b"<a/>"}
    package = unpack(pack(files))
    assert package.files == {"settings/Sharing.settings": b"<a/>"}
    assert package.manifest == read_manifest(manifest)
    assert (package.manifest.version, package.manifest.lists("CustomObject", "A__c")) == ("60.0", True)
    assert pack(files) == pack(dict(reversed(files.items())))
