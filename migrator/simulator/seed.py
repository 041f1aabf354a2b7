"""Data in: a folder with one `<SObject>.csv` per sObject, straight into the org."""

from pathlib import Path

from migrator.simulator.orgstate import OrgState


def load_csv_folder(org: OrgState, folder: Path) -> dict[str, int]:
    """Load every CSV file of the folder; how many records each sObject got."""
    raise NotImplementedError(f"{org.settings.name}: {folder}")
