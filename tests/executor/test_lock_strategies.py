"""The comparison of docs/locks.md, at a tenth of its size: nothing is lost where random order loses most rows, and nobody waits for one batch at a time."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "locks.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = spec_from_file_location("benchmarks_locks", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["benchmarks_locks"] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "contended", "faster"),
    [("one parent a row", False, 6), ("zipf and a mega parent", True, 4), ("junction", True, 4)],
)
def test_ours_loses_nothing_and_is_faster_than_serial(
    benchmark: ModuleType, name: str, contended: bool, faster: int
) -> None:
    data = next(one for one in benchmark.data_sets(0.1, None) if one.name == name)
    told = dict(benchmark.measure(data, ["ours", "random", "serial"]))
    print(benchmark.table(data, list(told.items())))
    assert (told["ours"].lost, told["ours"].refusals) == (0, 0)
    assert told["ours"].seconds * faster < told["serial"].seconds
    assert told["ours"].seconds >= data.bound
    assert (told["random"].lost > 0) is contended
