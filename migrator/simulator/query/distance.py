"""`DISTANCE(place, place, 'mi' | 'km')`: how far records are from a place (SOQL reference, "Location-Based SOQL Queries").

A place is an address or a location of the record or of a parent, or `GEOLOCATION(latitude, longitude)`. The guide names the haversine formula and no
radius of the Earth; here it is the mean one.
"""

from collections.abc import Callable, Sequence
from math import asin, cos, radians, sin, sqrt

from migrator.simulator.query.faults import QueryFault, malformed
from migrator.soql import tree, unescape

NAME = "DISTANCE"
#: the mean radius of the Earth in each unit (IUGG: 6,371.0088 km)
_RADIUS = {"km": 6371.0088, "mi": 6371.0088 / 1.609344}

Coordinates = tuple[Sequence[str], Sequence[str]]


def asks_distance(expression: tree.Expression) -> bool:
    """Whether it is a distance."""
    return isinstance(expression, tree.Call) and expression.name.upper() == NAME


def radius_of(call: tree.Call) -> float:
    """The Earth's radius in the unit that the call names. Raises QueryFault when it has no three arguments, or another unit."""
    unit = call.args[2] if len(call.args) == 3 else None
    name = unescape(unit.raw) if isinstance(unit, tree.Text) else ""
    if name not in _RADIUS:
        raise malformed("DISTANCE takes two locations and the unit 'mi' or 'km'", call.at)
    return _RADIUS[name]


def fixed_place(call: tree.Call) -> tuple[float, float]:
    """Latitude and longitude of a GEOLOCATION. Raises QueryFault for anything else, or a place that is not on the Earth."""
    numbers = [float(one.text) for one in call.args if isinstance(one, tree.Number)]
    if call.name.upper() != "GEOLOCATION" or len(call.args) != 2 or len(numbers) != 2:
        raise malformed("expecting a location field or GEOLOCATION(latitude, longitude)", call.at)
    latitude, longitude = numbers
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise QueryFault("NUMBER_OUTSIDE_VALID_RANGE", f"no such place: {latitude}, {longitude}", call.at)
    return latitude, longitude


def check_operator(sign: tree.Operator, at: tree.At) -> None:
    """A distance can only be nearer or farther than something."""
    if sign not in {tree.Operator.LT, tree.Operator.GT}:
        raise malformed("DISTANCE can be compared with < and > only", at)


def measuring(radius: float) -> Callable[[Coordinates, Coordinates], list[str]]:
    """The distances between two columns of places, as cells; null where one of the two has no coordinates."""

    def measure(one: Coordinates, other: Coordinates) -> list[str]:
        return [
            repr(_between(radius, *map(radians, map(float, row)))) if all(row) else ""
            for row in zip(*one, *other, strict=True)
        ]

    return measure


def _between(
    radius: float, latitude: float, longitude: float, to_latitude: float, to_longitude: float
) -> float:
    across = sin((to_latitude - latitude) / 2) ** 2
    along = cos(latitude) * cos(to_latitude) * sin((to_longitude - longitude) / 2) ** 2
    return 2 * radius * asin(min(1.0, sqrt(across + along)))
