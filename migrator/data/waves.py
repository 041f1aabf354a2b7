"""Waves: when rows with several lock keys travel, so that what travels at the same time locks no record twice. Pure.

The records of the key that most rows fight for are divided among tracks, and a track sends one slice at a time: so that key is out of the way. A
record of another key is locked by several tracks, but only for as long as its rows take. So the rows of a record that three tracks
lock need three waves, one for each track, whatever other rows do: an edge colouring, with tracks on one side, records on the other, and waves
for colours. A Latin square of tiles needs as many waves as tracks, because it takes every record for one that all tracks lock.

Most records have few rows, and take turns: their tracks' rows travel one wave after the other, beginning with any, so these rows are even in all
waves. Records with many rows, and those that are locked by a row together with another one, have buckets, and their rows are placed one cell after the other.

**Invariant:** in one wave no two tracks send rows of one bucket. Equal input gives equal answers.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

#: a slice holds at least this part of a full one on average: small ones spend the org's allowance of batches (15,000 a day)
LEAST_SLICE = 8
#: but so many slices are nothing beside 15,000 a day, as long as each holds a transaction's rows
FEW_SLICES, TRANSACTION_ROWS = 60, 200
#: rows that a wave costs beside its own, as waves wait for their last slice: about a transaction
_WAVE_ROWS = 250
#: an arrangement with fewer slices is better as long as it takes at most so much longer than the quickest
_NEARLY = 1.05
#: parts of all rows for which there may be too few waves, so that they get more of their own
_BEYOND = (0.001, 0.005, 0.02, 0.05)
#: cells with at least this part of what a track sends in a wave are placed before all others, as these can even out what they leave
_EVENING = 40
#: rows that make no difference where a cell is placed, as a part of its own
_GRAIN = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """Rows of one track that lock the same buckets, one for each lock key; -1: no other track locks what they do by that key."""

    track: int
    buckets: tuple[int, ...]
    rows: int

    @property
    def held(self) -> tuple[int, ...]:
        """The buckets that other tracks may lock too."""
        return tuple(sorted({one for one in self.buckets if one >= 0}))


@dataclass(frozen=True, slots=True)
class Cells:
    """What is to be arranged. `turns`: rows by track and by how many tracks lock their record, which takes turns."""

    tracks: int
    cells: Sequence[Cell]
    turns: Mapping[tuple[int, int], int]

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.cells) + sum(self.turns.values())

    @property
    def loads(self) -> Counter[int]:
        """Rows by track."""
        found: Counter[int] = Counter()
        for one in self.cells:
            found[one.track] += one.rows
        for (track, _), rows in self.turns.items():
            found[track] += rows
        return found


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a cell's rows, from `after` to `upto` of 1, that travels in a wave."""

    cell: int
    after: float
    upto: float
    wave: int


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Rows that take turns travel in the first `turning` waves, and those for which there are too few in the waves of their own number.

    `units`: by wave and track; rows of one unit go one slice after the other. `longest`: rows that go one after the other, however many slices travel
    side by side, `slices`: how many slices there are, as far as is known before rows that take turns have been counted.
    """

    pieces: tuple[Piece, ...]
    units: Mapping[tuple[int, int], int]
    turning: int
    waves: int
    longest: int
    slices: int

    @property
    def cost(self) -> int:
        """How long it takes, in rows that go one after the other, with what waves cost beside their rows."""
        return self.longest + _WAVE_ROWS * self.waves

    def worth(self, rows: int, slice_rows: int) -> bool:
        """Whether slices hold enough rows to be worth a job each."""
        few = self.slices <= FEW_SLICES and self.slices * TRANSACTION_ROWS <= rows
        return few or self.slices * slice_rows <= LEAST_SLICE * rows


def arranged(given: Cells, slice_rows: int) -> Arrangement:
    """Of the arrangements that take nearly no longer than the quickest, the one with the fewest slices; one whose slices are worth it if any is."""
    found = [Board(given, waves).arrangement(slice_rows) for waves in _wave_counts(given)]
    found = [one for one in found if one.worth(given.rows, slice_rows)] or found
    quickest = min(one.cost for one in found)
    good = [one for one in found if one.cost <= _NEARLY * quickest]
    return min(good, key=lambda one: (one.slices, one.cost, one.waves))


def _wave_counts(given: Cells) -> list[int]:
    """With how many waves to begin: as many as tracks lock a record, or so few that only a small part of all rows needs more."""
    tracks: dict[int, set[int]] = defaultdict(set)
    held: Counter[int] = Counter()
    rows_of: Counter[int] = Counter()
    for one in given.cells:
        for bucket in one.held:
            tracks[bucket].add(one.track)
            held[bucket] += one.rows
    for bucket, of in tracks.items():
        rows_of[len(of)] += held[bucket]
    for (_, degree), rows in given.turns.items():
        rows_of[degree] += rows
    most = max(rows_of, default=1)

    def beyond(waves: int) -> float:
        return sum(count * (1 - waves / of) for of, count in rows_of.items() if of > waves)

    few = {next(n for n in range(1, most + 1) if beyond(n) <= share * given.rows) for share in _BEYOND}
    return sorted({most, most + 1, *few})


class Board:
    """Which cell travels in which wave. Waves are bits: `_taken` by any track, `_own` by one."""

    def __init__(self, given: Cells, waves: int) -> None:
        self._cells = given.cells
        self._loads = given.loads
        self._turning = waves
        self._load = turn_loads(given, waves)
        self._length = [max(load[wave] for load in self._load) for wave in range(len(self._load[0]))]
        self._taken: dict[int, int] = {}
        self._own: dict[tuple[int, int], int] = {}
        #: by cell: waves, and how many of its rows travel in each
        self.placed: dict[int, list[tuple[int, int]]] = {}
        for number in self._order(waves):
            self._place(number)
        self._fill()

    def _open(self) -> int:
        for load in self._load:
            load.append(0)
        self._length.append(0)
        return len(self._length) - 1

    def _order(self, waves: int) -> list[int]:
        """Large cells first, those of the track with the most rows before others; then the small ones, bucket by bucket."""
        loads = self._loads
        least = sum(loads.values()) / (len(self._load) * waves * _EVENING)
        locked = [(number, one) for number, one in enumerate(self._cells) if one.held]
        large = sorted(
            (-loads[one.track], one.track, -one.rows, number) for number, one in locked if one.rows >= least
        )
        small = sorted((one.held, -one.rows, number) for number, one in locked if one.rows < least)
        return [number for *_, number in large] + [number for *_, number in small]

    def _place(self, number: int) -> None:
        """Into the wave that becomes the least longer by it; into a new one where all are taken."""
        one = self._cells[number]
        forbidden = 0
        held = one.held
        for bucket in held:
            forbidden |= self._taken.get(bucket, 0) & ~self._own.get((bucket, one.track), 0)
        load = self._load[one.track]
        free = (wave for wave in range(len(self._length)) if not forbidden >> wave & 1)
        count, grain = len(self._length), max(1, one.rows // _GRAIN)
        # nearly equal is equal: then cells of a record follow one another as in a Latin square, which leaves most room for those that come later
        best = min(
            free,
            key=lambda wave: (
                max(0, load[wave] + one.rows - self._length[wave]) // grain,
                load[wave] // grain,
                (wave - one.track - sum(held)) % count,
            ),
            default=None,
        )
        if best is None:
            best = self._open()
        for bucket in held:
            self._taken[bucket] = self._taken.get(bucket, 0) | 1 << best
            key = (bucket, one.track)
            self._own[key] = self._own.get(key, 0) | 1 << best
        self._add(number, best, one.rows)

    def _add(self, number: int, wave: int, rows: int) -> None:
        load = self._load[self._cells[number].track]
        load[wave] += rows
        self._length[wave] = max(self._length[wave], load[wave])
        self.placed.setdefault(number, []).append((wave, rows))

    def _fill(self) -> None:
        """Rows that nobody else's are in the way of fill up the waves; what is left makes one of them longer."""
        free = [number for number, one in enumerate(self._cells) if not one.held]
        for number in sorted(free, key=lambda one: (-self._loads[self._cells[one].track], one)):
            one = self._cells[number]
            left = one.rows
            for wave, length in enumerate(self._length):
                put = min(left, length - self._load[one.track][wave])
                if put > 0:
                    self._add(number, wave, put)
                    left -= put
            if left:
                self._add(number, 0, left)

    def arrangement(self, slice_rows: int) -> Arrangement:
        """What came of it."""
        units: dict[tuple[int, int], int] = {}
        slices = longest = 0
        for wave, length in enumerate(self._length):
            loads = {track: load[wave] for track, load in enumerate(self._load)}
            room = min(slice_rows, max(length, slice_rows // LEAST_SLICE))
            made, lengths = units_of(wave, loads, room)
            units |= made
            slices += sum(ceil(rows / slice_rows) for rows in lengths)
            longest += max(lengths)
        return Arrangement(
            tuple(pieces_of(self._cells, self.placed)),
            units,
            self._turning,
            len(self._length),
            longest,
            slices,
        )


def turn_loads(given: Cells, waves: int) -> list[list[int]]:
    """What rows that take turns come to, by track and wave: as much in each wave, and with more tracks than waves a turn in each further one."""
    count = max([waves, *(degree for _, degree in given.turns)])
    found = [[0] * count for _ in range(given.tracks)]
    for (track, degree), rows in sorted(given.turns.items()):
        for wave in range(max(waves, degree)):
            found[track][wave] += round(rows / max(degree, waves))
    return found


def pieces_of(cells: Sequence[Cell], placed: Mapping[int, Sequence[tuple[int, int]]]) -> Iterator[Piece]:
    """The pieces of cells whose rows travel so many in this wave and so many in that."""
    for number, parts in sorted(placed.items()):
        rows_of = cells[number].rows
        done = 0
        for place, (wave, rows) in enumerate(parts, start=1):
            upto = 1.0 if place == len(parts) else (done + rows) / rows_of
            yield Piece(number, done / rows_of, upto, wave)
            done += rows


def units_of(wave: int, loads: Mapping[int, int], room: int) -> tuple[dict[tuple[int, int], int], list[int]]:
    """The units of a wave, by wave and track, and how many rows each has; tracks whose rows fit into the room together are one."""
    units: dict[tuple[int, int], int] = {}
    lengths = []
    for unit, tracks in enumerate(_together(loads, room)):
        units |= {(wave, track): unit for track in tracks}
        lengths.append(sum(loads[track] for track in tracks))
    return units, lengths


def _together(loads: Mapping[int, int], room: int) -> Iterator[list[int]]:
    """Tracks of one wave whose rows fit into one slice, and take hardly longer in it than the wave does."""
    open_: list[tuple[int, list[int]]] = []
    for track in sorted(loads, key=lambda one: (-loads[one], one)):
        place = next((n for n, (rows, _) in enumerate(open_) if rows + loads[track] <= room), None)
        if place is None:
            open_.append((loads[track], [track]))
        else:
            rows, tracks = open_[place]
            open_[place] = (rows + loads[track], [*tracks, track])
    yield from (tracks for _, tracks in open_)
