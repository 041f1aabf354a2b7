"""Every order of a few faults and crashes: nothing is lost or doubled."""

import pytest

from tests.protocol.explorer import PARTS, explore


@pytest.mark.timeout(900)
@pytest.mark.parametrize("faults", [0, 1, 2, 3])
def test_no_order_of_faults_loses_or_doubles_a_row(faults: int) -> None:
    executions, wrong = explore(faults)
    print(f"explored {executions} executions with up to {faults} faults")
    assert not wrong, wrong[:5]


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_order_of_four_faults_loses_or_doubles_a_row(part: int) -> None:
    executions, wrong = explore(4, share=(part, PARTS))
    print(f"explored {executions} executions with up to 4 faults, part {part + 1} of {PARTS}")
    assert not wrong, wrong[:5]


def test_parts_of_an_exploration_are_the_whole_of_it() -> None:
    assert sum(explore(2, share=(part, 3))[0] for part in range(3)) == explore(2)[0]
