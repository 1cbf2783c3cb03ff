"""Which payloads of calls are taken, and which of those are kept."""

from dayfly.model.payload import PayloadPolicy


def is_taken(policy: PayloadPolicy, draw: float) -> bool:
    """Whether a call's payload is taken while it runs. `draw` is from 0 to below 1, another for each call."""
    return policy.keep != "sampled" or draw < policy.share


def is_kept(policy: PayloadPolicy, error: str) -> bool:
    """Whether a payload that was taken is kept, now that the call is over and failed for this reason, if it did."""
    return policy.keep != "errors" or bool(error)
