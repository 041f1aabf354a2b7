"""Describes that a real org gave once, told again: with addresses of this org, and what the user's permissions make of them."""

import re
from collections.abc import Mapping
from typing import Any

from migrator.simulator.schema.model import SObject

_BY_USER = ("createable", "updateable", "deletable")
_WITH_URLS = ("recordTypeInfos", "namedLayoutInfos")
_DATA = re.compile(r"/services/data/v\d+\.\d+")
_HOST = re.compile(r"https?://[^/]+")


def told_again(told: Mapping[str, Any], sobject: SObject, base: str, host: str) -> dict[str, Any]:
    """What was said of an sObject, its fields excepted. `base` is the path of the version's resources."""
    made = {**told, **{key: getattr(sobject, key) for key in _BY_USER if key in told}}
    if "urls" in told:
        made["urls"] = _moved(told["urls"], base, host)
    for key in _WITH_URLS:
        made[key] = [
            {**each, "urls": _moved(each["urls"], base, host)} if "urls" in each else each
            for each in told.get(key) or ()
        ]
    return {key: made[key] for key in told}


def _moved(urls: Mapping[str, str], base: str, host: str) -> dict[str, str]:
    return {
        name: _DATA.sub(base, url, count=1) if url.startswith("/") else _HOST.sub(host, url, count=1)
        for name, url in urls.items()
    }
