"""The two ways in which what an org sent can fail to be what it said; the caller fetches again or quarantines."""


class PageBroken(Exception):  # noqa: N818 - the page is broken; the name says so
    """A page of an extract is not what the org told: fetch it again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ResultsMismatch(Exception):  # noqa: N818 - the results do not match; the name says so
    """The result files of a job do not account for the rows it was given: fetch them again, or quarantine the slice."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
