"""Every diagnostic code with one line that explains it; `docs/errors.md` lists the same and a test compares them.

Keep the list sorted: parallel changes then rarely meet.
"""

CODES: dict[str, str] = {
    "access-denied": "The org does not let this user use the API at all.",
    "answer-broken": "An answer of the org was cut short or is not in the documented form.",
    "csv-delimiter": "A source file has one column that holds another delimiter: state the delimiter.",
    "csv-encoding": "A source file has bytes that its encoding does not allow.",
    "csv-header": "A source file has no header, or an empty or repeated column name.",
    "csv-nul": "A source file has a NUL character.",
    "csv-quote": "A quote is opened in a source file and never closed, or text follows a closing quote.",
    "csv-ragged": "A record of a source file has more or fewer cells than the header.",
    "csv-unreadable": "A source file cannot be read.",
    "disk-full": "The disk that holds the run's state is full. Make room, then resume.",
    "disk-lost": "The disk of the run folder cannot be written any more; the run pauses and can be resumed.",
    "foreign-url": "The org answered with a URL that leads to another host; it was not followed.",
    "host-not-allowed": "The org's URL is not https, or its host is not one of Salesforce's and not listed in the settings.",
    "instance-moved": "The org answers with a redirect; its address has changed.",
    "internal-error": "A bug of ours; the log named in the message is redacted and fit for an issue.",
    "lease-held": "Another process is working on this run.",
    "lease-lost": "Another process has taken the run over; this one stopped without writing.",
    "network-failed": "No answer came: name resolution, connection or time-out. Resume continues where it stopped.",
    "org-unavailable": "The org answers that it is busy or down.",
    "proxy-answer": "Something between here and the org answered in its place with a web page.",
    "request-limit-exceeded": "The org's allowance of API requests is spent.",
    "request-refused": "The org refused a request; its own code and message follow.",
    "run-exists": "The folder holds a run already.",
    "run-not-found": "The folder holds no run.",
    "session-expired": "The session ended while a request was on its way; the token has been renewed.",
    "sign-in-failed": "The org's credentials do not (or no longer) work.",
    "state-corrupt": "The run's state is damaged: a checksum or a structure does not hold.",
    "state-read-only": "The run's state cannot be written.",
    "state-too-new": "The run's state was made by a newer version.",
    "tls-failed": "No trusted TLS connection to the org could be made.",
    "usage": "The command line does not fit the command.",
}
