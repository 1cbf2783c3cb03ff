"""Refusals: why the engine will not go on with a request, in words for the person who sent it."""


class Refusal(Exception):
    """A request that must be answered with `status` and whose connection must be closed afterwards.

    `code` is a stable word for programs, `text` a sentence that names the limit or the rule, `hint` what to do.
    """

    def __init__(self, status: int, code: str, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.hint = hint


def malformed(text: str, hint: str = "") -> Refusal:
    """Return the refusal of a request that breaks HTTP/1.1's rules or could be read in two ways."""
    return Refusal(400, "invalid_request", text, hint)


def late(limit_s: float) -> Refusal:
    """Return the refusal of a request whose headers did not end in time."""
    return Refusal(
        408,
        "header_timeout",
        f"The request's headers did not end within {limit_s:g} s.",
        "The operator can raise the gateway's limit header_timeout_s.",
    )
