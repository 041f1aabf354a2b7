"""The demo's records: always the same, and fit for the orgs they are made for."""

from pathlib import Path

from migrator.cli.demo_data import SIZES, write_legacy, write_merged
from migrator.resources import resource
from migrator.simulator import Org, load_csv_folder, load_schema


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_legacy(tmp_path / name, scale=0.01)
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_the_demo_moves_more_than_fifty_thousand_records() -> None:
    assert sum(SIZES.values()) > 60_000


def test_both_orgs_take_their_records(tmp_path: Path) -> None:
    legacy = write_legacy(tmp_path / "legacy", scale=0.05)
    merged = write_merged(tmp_path / "merged", scale=0.05)
    queues = {"QueueSobject": SIZES["Group"]}
    assert (
        load_csv_folder(Org(load_schema(resource("plans", "orgs", "legacy.yaml"))), tmp_path / "legacy")
        == legacy | queues | {"RecordType": 0}  # the org has its record types already
    )
    assert (
        load_csv_folder(Org(load_schema(resource("plans", "orgs", "merged.yaml"))), tmp_path / "merged")
        == merged | queues
    )
