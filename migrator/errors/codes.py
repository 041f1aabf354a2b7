"""Every diagnostic code with one line that explains it; `docs/errors.md` lists the same and a test compares them.

Keep the list sorted: parallel changes then rarely meet.
"""

CODES: dict[str, str] = {
    "csv-delimiter": "A source file has one column that holds another delimiter: state the delimiter.",
    "csv-encoding": "A source file has bytes that its encoding does not allow.",
    "csv-header": "A source file has no header, or an empty or repeated column name.",
    "csv-nul": "A source file has a NUL character.",
    "csv-quote": "A quote is opened in a source file and never closed, or text follows a closing quote.",
    "csv-ragged": "A record of a source file has more or fewer cells than the header.",
    "csv-unreadable": "A source file cannot be read.",
    "disk-full": "The disk of the run folder is full; the run pauses and can be resumed.",
    "disk-lost": "The disk of the run folder cannot be written any more; the run pauses and can be resumed.",
    "internal-error": "A bug of ours; the log named in the message is redacted and fit for an issue.",
    "state-corrupt": "A file of the run folder is missing or has other bytes than recorded.",
    "usage": "The command line does not fit the command.",
}
