"""Ctrl-C and SIGTERM: once for an orderly stop, twice to end at once."""

import signal
from collections.abc import Callable
from types import FrameType

import click


def catch_signals(interrupt: Callable[[], None]) -> Callable[[], None]:
    """The first Ctrl-C (or SIGTERM) asks for an orderly stop, the second ends at once; the function puts things back."""
    asked: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        click.echo("stopping: finishing what is under way (again to stop at once)", err=True)
        interrupt()

    before = {one: signal.signal(one, handle) for one in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for one, handler in before.items():
            signal.signal(one, handler)

    return restore
