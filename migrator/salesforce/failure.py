"""What a request can fail with: one exception that says what the caller's state rules need to know."""

from migrator.errors import ExitCode, MigratorError
from migrator.model.wire import Sent


class RequestFailed(MigratorError):  # noqa: N818 - says what happened, as its base's readers expect
    """A request that did not end in a usable answer.

    `sent`: whether it can have had an effect (YES: there was a whole answer, see `status`). `error_code`: Salesforce's.
    `retryable`: whether to try the same request again at once (not where that was done already); the token was renewed when it had expired.
    `retry_after`: seconds that the org asked us to wait.
    """

    def __init__(
        self,
        code: str,
        what: str,
        *,
        sent: Sent,
        hint: str = "",
        exit_code: ExitCode = ExitCode.PAUSED,
        status: int | None = None,
        error_code: str = "",
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code, what, hint=hint, exit_code=exit_code)
        self.sent = sent
        self.status = status
        self.error_code = error_code
        self.retryable = retryable
        self.retry_after = retry_after
