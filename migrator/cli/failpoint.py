"""A fuse for tests of crashes: ends this process, without any farewell, at a named point of the protocol.

A point `perform:…` is in a worker, and is no crash: there a worker meets a bug of ours.
"""

import os
import signal
from collections.abc import Callable, Mapping
from itertools import count

#: e.g. `after:intent:Upload:2`: the second time that the intent to upload has been committed
VARIABLE = "MIGRATOR_FAILPOINT"


def make_fuse(environment: Mapping[str, str]) -> Callable[[str], None]:
    """The fuse that the environment asks for; without the variable nothing ever happens."""
    wanted, _, nth = environment.get(VARIABLE, "").rpartition(":")
    seen = count(1)

    def fuse(point: str) -> None:
        if point == wanted and next(seen) == int(nth):
            if point.startswith("perform:"):
                raise ZeroDivisionError(f"asked for by {VARIABLE}={wanted}:{nth}")
            os.kill(os.getpid(), signal.SIGKILL)

    return fuse
