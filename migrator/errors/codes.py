"""Every diagnostic code with one line that explains it; `docs/errors.md` lists the same and a test compares them.

Keep the list sorted: parallel changes then rarely meet.
"""

CODES: dict[str, str] = {
    "internal-error": "A bug of ours; the log named in the message is redacted and fit for an issue.",
    "usage": "The command line does not fit the command.",
}
