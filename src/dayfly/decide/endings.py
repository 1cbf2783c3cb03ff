"""What callers are told of a replica that ended while it worked on their calls.

A caller may be a stranger. What a provider says of a replica that served is the kernel's word or a limit's, in one
line; anything longer could be the function's own output, and then only the kind of ending is told.
"""

from dayfly.decide.replicas import Replica
from dayfly.decide.trouble import SENTENCES
from dayfly.model.replica import ExitReason
from dayfly.model.table import Ended

MAX_DETAIL = 200

_LOG = "The function's log and `dayfly describe` say more."
_WORDS: dict[ExitReason, tuple[str, str]] = {
    "oom": ("function_out_of_memory", "Raise limits.memory of the function, or let it hold less at a time."),
    "timeout": ("function_timed_out", "Raise `timeout` of the function if its calls need longer."),
    "pids": (
        "function_out_of_processes",
        "The operator can raise DAYFLY_MAX_PROCESSES, should it need so many.",
    ),
    "stuck": ("function_stopped", "Nothing but the function itself sends it this signal."),
    "crashed": ("function_crashed", _LOG),
    "killed": ("function_killed", _LOG),
    "lost": ("replica_lost", "The platform's log says more; another replica takes its place."),
}


def explain(replica: Replica, reason: ExitReason, detail: str) -> Ended:
    """Return what gateways answer the calls with that the replica, which served, has taken down."""
    code, hint = _WORDS.get(reason, ("replica_lost", _LOG))
    clause = detail if detail and "\n" not in detail and len(detail) <= MAX_DETAIL else SENTENCES[reason]
    if reason == "timeout":
        clause = f"a call of it went on after its timeout of {replica.timeout_s:g} s, and only its end could end that"
    return Ended(replica.id, code, clause, hint)
