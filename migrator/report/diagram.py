"""Where the boxes and lines of the schedule's picture go; the template draws them.

Steps stand in columns, each to the right of all that it waits for. A step's box lists its reasons to wait, one a line, and
the line from the step it waits for ends there: so no label is ever written over another.
**Invariant:** the same schedule gives the same picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from migrator.model.run import StepPhase
from migrator.model.schedule import Edge, LinkStep, LoadStep, MatchStep, Step
from migrator.model.summary import StepSummary, Summary
from migrator.report.clean import clean

BOX_WIDTH = 240
COLUMN_GAP = 56
ROW_GAP = 18
HEAD_HEIGHT = 42
LINE_HEIGHT = 17
FOOT_HEIGHT = 8
MARGIN = 8
#: characters that fit a line of a box in the font of the template
FIT = 36


@dataclass(frozen=True, slots=True)
class Port:
    """One reason to wait: a line of text in a box, at that height."""

    y: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Box:
    """One step."""

    x: int
    y: int
    height: int
    title: str
    subtitle: str
    kind: str
    state: str
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One edge, as an SVG path; the reason is shown when the pointer rests on it."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Diagram:
    """The whole picture, in pixels."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def draw(summary: Summary) -> Diagram:
    """The picture of what is matched, loaded and linked; extracts and verification are left out to keep it readable."""
    shown = [one for one in summary.schedule.steps if isinstance(one, MatchStep | LoadStep | LinkStep)]
    names = {one.id for one in shown}
    edges = [one for one in summary.schedule.edges if one.before in names and one.after in names]
    columns = _columns(shown, edges)
    rows = {one.step: one for one in summary.steps}
    boxes: dict[str, Box] = {}
    for number, column in enumerate(columns):
        y = MARGIN
        for step in column:
            x = MARGIN + number * (BOX_WIDTH + COLUMN_GAP)
            boxes[step.id] = _box(step, rows.get(step.id), _incoming(edges, step.id), x, y)
            y += boxes[step.id].height + ROW_GAP
    return Diagram(
        width=2 * MARGIN + len(columns) * (BOX_WIDTH + COLUMN_GAP) - COLUMN_GAP,
        height=max((one.y + one.height for one in boxes.values()), default=0) + MARGIN,
        boxes=tuple(boxes.values()),
        lines=tuple(_line(boxes, edge, edges) for edge in edges),
    )


def _incoming(edges: Sequence[Edge], step: str) -> list[Edge]:
    return [one for one in edges if one.after == step]


def _columns(steps: Sequence[Step], edges: Sequence[Edge]) -> list[list[Step]]:
    """Steps by the length of the longest way to them; in a column, near the ones they wait for."""
    depth: dict[str, int] = {}
    for step in steps:  # in topological order
        depth[step.id] = max((depth[one.before] + 1 for one in _incoming(edges, step.id)), default=0)
    columns: list[list[Step]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for step in steps:
        columns[depth[step.id]].append(step)
    places: dict[str, float] = {}
    for column in columns:
        column.sort(key=lambda one: (_middle(_incoming(edges, one.id), places), one.id))
        places |= {one.id: place / len(column) for place, one in enumerate(column)}
    return columns


def _middle(edges: Sequence[Edge], places: Mapping[str, float]) -> float:
    return sum(places[one.before] for one in edges) / len(edges) if edges else 0.0


def _box(step: Step, row: StepSummary | None, incoming: Sequence[Edge], x: int, y: int) -> Box:
    ports = tuple(
        Port(y + HEAD_HEIGHT + LINE_HEIGHT * place + LINE_HEIGHT // 2, _short(step, edge), clean(edge.reason))
        for place, edge in enumerate(incoming)
    )
    height = HEAD_HEIGHT + (LINE_HEIGHT * len(ports) + FOOT_HEIGHT if ports else 0)
    kind, subtitle = _words(step)
    return Box(x, y, height, _fit(clean(step.object_name), FIT - 10), subtitle, kind, _state(row), ports)


def _words(step: Step) -> tuple[str, str]:
    match step:
        case MatchStep():
            return "match", _fit(f"pair by {', '.join(step.match.on)}")
        case LoadStep():
            by = f" by {step.external_id}" if step.external_id else ""
            return "load", _fit(f"{step.operation.value}{by}")
        case LinkStep():
            return "link", _fit(f"fill {', '.join(one.rule.target for one in step.lookups)}")
        case _:
            return "", ""


def _state(row: StepSummary | None) -> str:
    if row is None or row.phase is StepPhase.PENDING:
        return "waiting"
    if row.phase is StepPhase.OPEN:
        return "going"
    return "bad" if row.unsuccessful or not row.balanced else "good"


def _short(step: Step, edge: Edge) -> str:
    """The reason without the object's own name, which the box has above it."""
    text = clean(edge.reason) or f"after {edge.before}"
    return _fit(text.removeprefix(f"{step.object_name}.").replace(" looks up ", " \N{RIGHTWARDS ARROW} "))


def _fit(text: str, length: int = FIT) -> str:
    return text if len(text) <= length else text[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _line(boxes: Mapping[str, Box], edge: Edge, edges: Sequence[Edge]) -> Line:
    begin, end = boxes[edge.before], boxes[edge.after]
    port = end.ports[_incoming(edges, edge.after).index(edge)]
    x1, y1, x2 = begin.x + BOX_WIDTH, begin.y + HEAD_HEIGHT // 2, end.x
    bend = max(COLUMN_GAP * 3 // 4, (x2 - x1) // 3)
    path = f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {port.y} {x2} {port.y}"
    return Line(path, f"{edge.before} \N{RIGHTWARDS ARROW} {edge.after}: {port.reason}")
