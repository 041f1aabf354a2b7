"""Which records a roll-up summary counts."""

from collections.abc import Callable, Mapping

from migrator.simulator.schema.model import NUMBERS, FieldType, FilterOperation, SObject, SummaryFilter

Passes = Callable[[str], bool]

_NEGATIVE = frozenset({FilterOperation.NOT_EQUAL, FilterOperation.EXCLUDES, FilterOperation.NOT_CONTAIN})
# by the sign of what the cell is more than the value
_ORDERS: Mapping[FilterOperation, frozenset[int]] = {
    FilterOperation.LESS_THAN: frozenset({-1}),
    FilterOperation.GREATER_THAN: frozenset({1}),
    FilterOperation.LESS_OR_EQUAL: frozenset({-1, 0}),
    FilterOperation.GREATER_OR_EQUAL: frozenset({1, 0}),
}


def filter_of(sobject: SObject, given: SummaryFilter) -> Passes:
    """Whether a cell of the filter's field passes it: one of its values is enough, text is compared without regard to case."""
    field = sobject.field(given.field)
    kind = field.type if field is not None else FieldType.STRING
    if given.operation in _ORDERS:
        return _ordered(given, numeric=kind in NUMBERS | {FieldType.INT})
    if kind is FieldType.MULTIPICKLIST:
        found = _one_of_several(given)
    elif given.operation in {FilterOperation.CONTAINS, FilterOperation.NOT_CONTAIN}:
        found = _containing(given)
    elif given.operation is FilterOperation.STARTS_WITH:
        starts = tuple(each.lower() for each in given.values)
        return lambda cell: cell.lower().startswith(starts)
    else:
        found = _equal(given, numeric=kind in NUMBERS | {FieldType.INT})
    return (lambda cell: not found(cell)) if given.operation in _NEGATIVE else found


def _ordered(given: SummaryFilter, *, numeric: bool) -> Passes:
    accepted = _ORDERS[given.operation]
    numbers = [float(each) for each in given.values if each] if numeric else []
    texts = [each.lower() for each in given.values]

    def passes(cell: str) -> bool:
        if not cell:
            return False
        if numeric:
            number = float(cell)
            return any((number > other) - (number < other) in accepted for other in numbers)
        text = cell.lower()
        return any((text > other) - (text < other) in accepted for other in texts)

    return passes


def _equal(given: SummaryFilter, *, numeric: bool) -> Passes:
    numbers = {float(each) for each in given.values if each} if numeric else set()
    texts = {each.lower() for each in given.values}
    return lambda cell: float(cell) in numbers if numeric and cell else cell.lower() in texts


def _containing(given: SummaryFilter) -> Passes:
    texts = [each.lower() for each in given.values]
    return lambda cell: any(each in cell.lower() for each in texts)


def _one_of_several(given: SummaryFilter) -> Passes:
    wanted = frozenset(each.lower() for each in given.values)
    return lambda cell: not wanted.isdisjoint(cell.lower().split(";"))
