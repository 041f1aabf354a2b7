"""`python -m migrator` is the same command as `migrator`."""

from migrator.cli import main

main()
