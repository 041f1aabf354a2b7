"""A plan's YAML, read strictly and checked offline, with the place of everything that is wrong.

`load_yaml` reads other files of ours with the same strictness.
"""

from migrator.planfile.load import load_plan, load_yaml
from migrator.planfile.schema import plan_schema, read_schema

__all__ = ["load_plan", "load_yaml", "plan_schema", "read_schema"]
