"""The digest of a plan: what it means, whatever it looks like.

**Invariant:** comments, the order of keys, descriptions and the file's place change nothing.
"""

import hashlib
import json
from dataclasses import asdict, fields, is_dataclass

from migrator.model.plan import Plan

_NOT_MEANING = frozenset({"path", "description", "digest", "places", "objects"})


def digest(plan: Plan) -> str:
    """The sha256 of the plan's canonical form, in hexadecimal."""
    meaning: dict[str, object] = {
        each.name: _plain(getattr(plan, each.name)) for each in fields(plan) if each.name not in _NOT_MEANING
    }
    meaning["objects"] = [asdict(one) for one in plan.objects]
    text = json.dumps(meaning, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
