"""The digest of a plan: what it means, whatever it looks like.

**Invariant:** comments, the order of keys, descriptions and the file's place change nothing.
"""

import hashlib
import json
from dataclasses import fields
from typing import Any

from migrator.model.plan import Plan

_NOT_MEANING = frozenset({"path", "description", "digest", "places"})


def digest(plan: Plan) -> str:
    """The sha256 of the plan's canonical form, in hexadecimal."""
    text = json.dumps(
        {name: value for name, value in _fields(plan).items() if name not in _NOT_MEANING},
        default=_fields,
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _fields(value: Any) -> dict[str, Any]:
    """One level of a dataclass; the encoder asks again for what is inside. `asdict` would copy it all, ten times slower."""
    return {each.name: getattr(value, each.name) for each in fields(value)}
