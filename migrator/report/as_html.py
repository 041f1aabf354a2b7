"""The report as one HTML page that needs nothing else: no script, no font, no image, no request.

**Invariant:** every text goes through the template's escaping; the page's own policy lets it run and load nothing, and
admits exactly its one style sheet, by its hash.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from migrator.model.lockfigures import LockedRecords
from migrator.model.run import Outcome
from migrator.model.schedule import KeyForecast, RecordRows
from migrator.model.summary import Again, StepSummary
from migrator.report import diagram
from migrator.report.as_markdown import manifest
from migrator.report.clean import duration, moment, visible
from migrator.report.facts import OUTCOMES, Facts, counted, phase_word, seconds_of

_FOLDER = Path(__file__).parent
#: which outcomes share a colour
TONES = {
    Outcome.CREATED: "good",
    Outcome.UPDATED: "good",
    Outcome.UNCHANGED: "good",
    Outcome.DELETED: "good",
    Outcome.SKIPPED: "mild",
    Outcome.FAILED: "bad",
    Outcome.BLOCKED: "bad",
    Outcome.QUARANTINED: "bad",
}
#: the width of bars, in the units of their SVG
FULL = 1_000


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar."""

    x: float
    width: float
    tone: str
    label: str


@dataclass(frozen=True, slots=True)
class Span:
    """A step on the time line."""

    name: str
    bar: Part
    seconds: float


def as_html(facts: Facts) -> str:
    """The report as an HTML page."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    environment.filters |= {"count": counted, "duration": duration, "moment": moment}
    style = (_FOLDER / "report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html.jinja").render(
        facts=facts,
        run=facts.summary.run,
        sheet=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        shown=[one for one in OUTCOMES if facts.totals[one]],
        tones=TONES,
        spread_bar=spread_bar,
        bar_parts=outcome_bar(facts.totals, facts.rows),
        outcomes=Outcome,
        again=tuple(Again),
        phase_word=phase_word,
        seconds_of=seconds_of,
        spans=time_line(facts.summary.steps),
        picture=diagram.draw(facts.summary),
        box_width=diagram.BOX_WIDTH,
        manifest=manifest(facts),
        verified=any(one.done for one in facts.verification),
    )


def outcome_bar(tallies: Mapping[Outcome, int], total: int) -> list[Part]:
    """A bar of all rows; a piece that would be too thin to see is made a little wider."""
    parts: list[Part] = []
    x = 0.0
    for outcome in OUTCOMES:
        count = tallies.get(outcome, 0)
        if count and total:
            width = max(6.0, FULL * count / total)
            parts.append(Part(x, width, TONES[outcome], f"{outcome.value}: {count:,}"))
            x += width
    scale = FULL / x if x > FULL else 1.0
    return [Part(one.x * scale, one.width * scale, one.tone, one.label) for one in parts]


def spread_bar(key: KeyForecast | LockedRecords) -> list[Part]:
    """How rows spread over the records that they look up: the largest one by one, then all others together."""
    largest = [one.rows if isinstance(one, RecordRows) else one for one in key.largest]
    parts: list[Part] = []
    x = 0.0
    for place, rows in enumerate(largest, start=1):
        width = FULL * rows / max(key.rows, 1)
        tone = "bad" if place <= key.skewed else "mild"
        parts.append(Part(x, max(width - 1.5, 0.5), tone, f"one record: {rows:,} rows"))
        x += width
    others = key.records - len(key.largest)
    if others > 0:
        parts.append(Part(x, max(FULL - x, 0.5), "good", f"{others:,} other records"))
    return parts


def time_line(steps: Sequence[StepSummary]) -> list[Span]:
    """The finished steps, in the order in which they began."""
    timed = [(one, one.started, one.finished) for one in steps]
    known = [(one, begun, done) for one, begun, done in timed if begun is not None and done is not None]
    if not known:
        return []
    first = min(begun for _, begun, _ in known)
    whole = max(max(done for _, _, done in known) - first, 0.001)
    return [
        Span(
            one.step,
            Part(
                x=min(FULL - 4.0, FULL * (begun - first) / whole),
                width=max(4.0, FULL * (done - begun) / whole),
                tone="bad" if one.unsuccessful else "good",
                label=f"{one.step}: {duration(done - begun)}",
            ),
            done - begun,
        )
        for one, begun, done in sorted(known, key=lambda each: (each[1], each[2], each[0].step))
    ]
