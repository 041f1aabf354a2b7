"""Cycles: told as a path, opened at the fewest fields, fast also in a large tangle."""

from migrator.planner.cycles import Arc, break_cycles, unbreakable


def arc(text: str, rows: int = 0) -> Arc:
    """`A.x>B` is breakable, `A.x=B` is not."""
    breakable = ">" in text
    left, right = text.split(">" if breakable else "=")
    child, _, field = left.partition(".")
    return Arc(child, field, (right,), breakable, rows)


def broken(*arcs: Arc) -> list[str]:
    return [f"{one.arc.child}.{one.arc.field}" for one in break_cycles(arcs)]


def test_no_cycle_breaks_nothing() -> None:
    assert broken(arc("A.x>B"), arc("B.y>C"), arc("A.z=C")) == []


def test_a_cycle_is_told_once_around() -> None:
    found = break_cycles([arc("B.A__c>A"), arc("A.B__c>B"), arc("A.x>C")])
    assert [one.cycle for one in found] == ["A.B__c → B → B.A__c → A"]


def test_fewest_rows_then_the_name_decide() -> None:
    assert broken(arc("A.x>B", 10), arc("B.y>A", 5)) == ["B.y"]
    assert broken(arc("B.y>A", 5), arc("A.x>B", 5)) == ["A.x"]


def test_one_field_on_two_cycles_is_cheaper_than_two() -> None:
    assert broken(arc("A.x>B", 100), arc("B.y>A"), arc("B.z>C"), arc("C.w>A")) == ["A.x"]


def test_two_fields_between_two_objects_are_both_broken() -> None:
    assert broken(arc("A.x>B"), arc("A.y>B"), arc("B.z=A")) == ["A.x", "A.y"]


def test_self_relationships_are_always_broken() -> None:
    assert broken(arc("A.p>A"), arc("A.x>B"), arc("B.y=A")) == ["A.p", "A.x"]


def test_unbreakable_cycles_are_told_with_the_fields_on_the_way() -> None:
    pinned = Arc("C", "", ("A",), pin=True)
    arcs = [arc("A.x=B"), arc("B.y=C"), pinned, arc("D.p=D"), arc("A.z>C")]
    assert unbreakable(arcs) == [("A", "A.x → B → B.y → C → C (after) → A"), ("D", "D.p → D")]


def test_a_large_tangle_is_opened_greedily_and_keeps_required_fields() -> None:
    size = 300
    names = [f"N{number:03}" for number in range(size)]
    arcs = [Arc(names[at], "next", (names[(at + 1) % size],), breakable=True) for at in range(size)]
    arcs += [Arc(names[at], "skip", (names[at // 2],), breakable=False) for at in range(1, size)]
    arcs += [Arc(names[at], "far", (names[(at * 7) % size],), breakable=True) for at in range(1, size)]
    chosen = {(one.arc.child, one.arc.field) for one in break_cycles(arcs)}
    left = [one for one in arcs if (one.child, one.field) not in chosen]
    assert chosen
    assert all(field != "skip" for _, field in chosen)
    assert break_cycles(left) == []
