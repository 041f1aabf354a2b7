"""`--faults FILE`: a fault script, read as strictly as a plan."""

from pathlib import Path

from migrator.errors import PlanInvalid, Where, error, has_errors
from migrator.planfile import load_yaml, read_schema
from migrator.simulator import FaultInvalid, Planted, read_faults


def load_faults(path: Path, now: float) -> list[Planted]:
    """The faults of a script; `PlanInvalid` with all that is wrong with it. `now` is the org's time."""
    value, places, found = load_yaml(str(path), schema=read_schema("faults.schema.json"))
    if has_errors(found):
        raise PlanInvalid(found)
    try:
        return read_faults(value, now=now)
    except FaultInvalid as fault:
        near = [fault.path[:length] for length in range(len(fault.path), -1, -1)]
        where = next((places[each] for each in near if each in places), Where(str(path)))
        raise PlanInvalid([error("fault-invalid", fault.what, hint=fault.hint, where=where)]) from fault
