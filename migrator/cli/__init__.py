"""The command line: commands, exit codes, console.

Commands are imported when they are called, so that `--help` does not pay for the data plane.
"""

from migrator.cli.boundary import main

__all__ = ["main"]
