"""Properties of the data plane: nothing is lost, doubled, mixed up or guessed, whatever the values are."""

import csv
import io
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import groupby

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from migrator.data import ResultsMismatch, check_source_file
from migrator.data.jobs import Pages, SentColumn
from migrator.data.packing import Limits, Unit, pack, runs
from migrator.model.ids import to_18
from tests.unit.data.bench import Bench, record_id

#: each example is some DuckDB statements; the values in it are many
SOME = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

NASTY = st.sampled_from(
    [
        "",
        '"',
        '""',
        ",",
        "\n",
        "\r\n",
        "\r",
        " ",
        "\t",
        "#N/A",
        "\u2028",
        "\u0085",
        "😀",
        "é",
        "\x1f",
        "\x1e",
        "\\",
        "'",
        "NULL",
        "0",
        "x",
    ]
)
#: any text that CSV can hold: no NUL and no lone surrogates
ANY = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
TEXT = st.one_of(st.lists(NASTY, max_size=4).map("".join), ANY)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(tmp_path_factory.mktemp("bench")) as made:
        yield made


def one_newline(value: str) -> str:
    return value.replace("\r\n", "\n").replace("\r", "\n")


@SOME
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=40))
def test_any_text_is_sent_as_it_is(bench: Bench, rows: list[tuple[str, str]]) -> None:
    pages = bench.pages(("Id", "V", "W"), [[f"k{n:03d}", *row] for n, row in enumerate(rows)])
    done = bench.load(pages, ("V", "W", "Id"))
    refused = {n for n, row in enumerate(rows) if "#N/A" in row}
    wanted = [
        {"V": one_newline(v), "W": one_newline(w), "Id": f"k{n:03d}"}
        for n, (v, w) in enumerate(rows)
        if n not in refused
    ]
    sent = [row for one in done.slices for row in bench.slice(one.file)]
    assert sent == wanted
    assert [
        {name: row.get(name, "") for name in ("V", "W", "Id")}
        for one in done.slices
        for row in bench.engine.read_slice(one.file)
    ] == wanted
    assert done.faults == ({"DATA_NA": len(refused)} if refused else {})
    assert done.total == len(rows)
    assert all(b"\r" not in bench.workspace.path(one.file).read_bytes() for one in done.slices)


@SOME
@given(
    st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=30),
    st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=31, max_size=31),
    st.sampled_from([",", ";", "\t"]),
)
def test_any_source_file_is_read_as_it_is(
    bench: Bench, rows: list[tuple[str, str]], ends: list[str], delimiter: str
) -> None:
    path = bench.workspace.root / "source.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        for record, end in zip([("a", "b"), *rows], ends, strict=False):
            buffer = io.StringIO(newline="")
            csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="").writerow(record)
            file.write(buffer.getvalue() + end)
    found = check_source_file(path, delimiter=delimiter)
    assert (found.columns, found.rows, found.diagnostics) == (("a", "b"), len(rows), ())
    ref = bench.engine.freeze_source_file("extract", found, path, delimiter=delimiter)
    done = bench.load(Pages((ref,), delimiter), ("a", "b"), key=())
    wanted = {
        n: (one_newline(a), one_newline(b)) for n, (a, b) in enumerate(rows, start=1) if "#N/A" not in (a, b)
    }
    assert sorted(int(row["source_key"]) for row in bench.parquet(done.rows)) == sorted(wanted)
    sent = [(row["a"], row["b"]) for one in done.slices for row in bench.slice(one.file)]
    assert sorted(sent) == sorted(wanted.values())


NUMBERS = {
    "1": "1.0",
    "1.50": "1.5",
    "912260031": "9.12260031E8",
    "-3": "-3.0",
    "0.1": "0.1",
    "": "",
    "123456789.25": "1.2345678925E8",
}


@SOME
@given(
    st.lists(
        st.tuples(TEXT.map(lambda value: value.replace("#N/A", "")), st.sampled_from(sorted(NUMBERS))),
        min_size=1,
        max_size=25,
    ),
    st.randoms(use_true_random=False),
)
def test_answers_find_their_rows_in_any_order(
    bench: Bench, rows: list[tuple[str, str]], chance: random.Random
) -> None:
    done = bench.load(
        bench.pages(("Id", "V", "N"), [[f"k{n:03d}", *row] for n, row in enumerate(rows)]), ("V", "N")
    )
    fate = [chance.choice(["ok", "ok", "bad", "un"]) for _ in rows]
    sent = [(one_newline(v), NUMBERS[n]) for v, n in rows]
    ok = [[record_id(n), "true", *sent[n]] for n, one in enumerate(fate) if one == "ok"]
    bad = [
        ["", f"CODE_{chance.randrange(2)}:m: x:V --", *sent[n]] for n, one in enumerate(fate) if one == "bad"
    ]
    un = [list(sent[n]) for n, one in enumerate(fate) if one == "un"]
    for each in (ok, bad, un):
        chance.shuffle(each)
    job = bench.answer(
        done,
        ("V", "N"),
        sent=(SentColumn("V"), SentColumn("N", "double", numeric=True)),
        processed=len(ok) + len(bad),
        failed=len(bad),
        retryable=frozenset({"CODE_1"}),
        files=(ok, bad, un),
    )
    settled = bench.engine.settle(job)
    found = {row["source_key"]: row for row in bench.parquet(settled.outcomes)}
    assert sorted(found) == [f"k{n:03d}" for n in range(len(rows))]
    # a row may have got the answer of one that is equal to it, and of no other
    content = {record_id(n): sent[n] for n in range(len(rows))}
    for n, one in enumerate(sent):
        target = found[f"k{n:03d}"]["target_id"]
        assert not target or content[target] == one
    by_content: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for n, one in enumerate(sent):
        row = found[f"k{n:03d}"]
        by_content[one]["ok" if row["target_id"] else "un" if row["code"] == "UNPROCESSED" else "bad"] += 1
        by_content[one][fate[n]] -= 1
    assert all(not any(counts.values()) for counts in by_content.values())
    assert settled.waiting == len(un) + sum(row[1].startswith("CODE_1") for row in bad)


@SOME
@given(
    st.lists(
        TEXT.filter(bool).map(lambda value: value.replace("#N/A", "x")),
        min_size=2,
        max_size=8,
        unique_by=one_newline,
    ),
    st.data(),
)
def test_one_lie_and_nothing_is_settled(bench: Bench, values: list[str], data: st.DataObject) -> None:
    done = bench.load(
        bench.pages(("Id", "V", "W"), [[f"k{n}", value, "w"] for n, value in enumerate(values)]), ("V", "W")
    )
    ok = [[record_id(n), "true", one_newline(value), "w"] for n, value in enumerate(values)]
    at = data.draw(st.integers(0, len(ok) - 1))
    match data.draw(st.sampled_from(["lost", "twice", "changed", "same id", "swapped cells"])):
        case "lost":
            del ok[at]
        case "twice":
            ok[at] = list(ok[at - 1])
        case "changed":
            ok[at][2] += "!"
        case "same id":
            ok[at][0] = ok[at - 1][0]
        case _:
            ok[at][2:] = ["w", ok[at][2]] if ok[at][2] != "w" else ["w", "w!"]
    with pytest.raises(ResultsMismatch):
        bench.engine.settle(
            bench.answer(done, ("V", "W"), processed=len(values), failed=0, files=(ok, [], []))
        )


@SOME
@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=150),
    st.integers(1, 40),
    st.integers(150, 5000),
)
@example([0] * 19 + [1, 2, 2], 21, 291)  # a group of two goes before a smaller one
def test_slices_partition_the_rows(bench: Bench, groups: list[int], rows: int, size: int) -> None:
    names = ["" if group == 0 else f"group {group}" for group in groups]
    pages = bench.pages(("Id", "Parent"), [[f"{n:05d}", name] for n, name in enumerate(names)])
    done = bench.load(pages, ("Id", "Parent"), group_by="Parent", max_slice_rows=rows, max_slice_bytes=size)
    found = {one.no: bench.slice(one.file) for one in done.slices}
    assert sorted((row["Id"], row["Parent"]) for each in found.values() for row in each) == sorted(
        (f"{n:05d}", name) for n, name in enumerate(names)
    )
    assert sorted(found) == list(range(1, len(found) + 1))
    where: dict[str, list[int]] = defaultdict(list)
    for one in done.slices:
        assert one.file.size <= size
        assert one.file.rows == len(found[one.no]) <= rows
        # a group stands together, in the order of its keys; which group comes first is the cut's business
        together = [
            (name, list(rows)) for name, rows in groupby(found[one.no], key=lambda row: row["Parent"])
        ]
        assert len({name for name, _ in together}) == len(together)
        assert all(ids == sorted(ids) for ids in ([row["Id"] for row in each] for _, each in together))
        for name in {row["Parent"] for row in found[one.no]}:
            where[name].append(one.no)
    for name, slices in where.items():
        if name and len(slices) > 1:
            assert slices == list(range(slices[0], slices[0] + len(slices)))
            assert all({row["Parent"] for row in found[no]} == {name} for no in slices)
            assert all(one.group == name for one in done.slices if one.no in slices)


@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(1, 1000)), max_size=60),
    st.integers(100, 300),
    st.integers(1000, 3000),
)
def test_packing_keeps_units_whole_and_limits(sizes: list[tuple[int, int]], rows: int, size: int) -> None:
    limits = Limits(rows, size)
    units = [Unit(f"{n:03d}", *one) for n, one in enumerate(sizes)]
    big = [one for one in units if limits.big(one.rows, one.bytes)]
    small = [one for one in units if not limits.big(one.rows, one.bytes)]
    for bins in (pack(big, small, limits), runs(units, limits)):
        assert sorted(key for one in bins for key in one.keys) == sorted(one.key for one in units)
        by_key = {one.key: one for one in units}
        for one in bins:
            assert limits.hold(
                sum(by_key[key].rows for key in one.keys), sum(by_key[key].bytes for key in one.keys)
            )
    assert [one.keys for one in pack(big, small, limits)] == [
        one.keys for one in pack(big[::-1], small, limits)
    ]


@SOME
@given(st.lists(st.from_regex(r"[0-9A-Za-z]{15}", fullmatch=True), min_size=1, max_size=50, unique=True))
def test_ids_have_one_form(bench: Bench, ids: list[str]) -> None:
    done = bench.load(bench.pages(("Id", "V"), [[one, "x"] for one in ids]), ("V",))
    assert sorted(row["source_key"] for row in bench.parquet(done.rows)) == sorted(to_18(one) for one in ids)
