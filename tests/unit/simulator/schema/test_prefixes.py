"""Key prefixes of standard objects, as the published describe of a real org has them, where a checkout has that beside it."""

import csv
from pathlib import Path

from migrator.simulator import load_schema

RECORDING = Path(__file__).resolve().parents[5] / "shared" / "recordings" / "key_prefixes.tsv"


def test_standard_objects_have_their_prefixes() -> None:
    ours = {found.name: found.prefix for found in load_schema().sobjects}
    assert all(len(prefix) == 3 for prefix in ours.values())
    if not RECORDING.exists():
        return
    with RECORDING.open(encoding="utf-8", newline="") as file:
        theirs = {name: prefix for prefix, name in csv.reader(file, delimiter="\t")}
    assert {name: theirs[name] for name in ours if name in theirs} == {
        name: prefix for name, prefix in ours.items() if name in theirs
    }
    assert sum(name in theirs for name in ours) > 30
