"""Ctrl-C and SIGTERM: once for an orderly stop, twice to end at once."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

import click

from migrator.errors import ExitCode


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


def end_now(what: str) -> None:
    """Say it and end the process where it stands, as if it had been killed: something in it waits for ever."""
    os.write(sys.stderr.fileno(), f"\n{what}\n".encode())
    os._exit(ExitCode.PAUSED)
