"""Resending: when a request whose connection failed may be sent once more.

A connection that was kept open can be closed by its other end at the very moment it is used again, and no answer says
whether the request was read. The rule, in order:

1. Once a byte of a response has come, never: the request was read.
2. Nothing of the request was handed to the kernel (no connection, or the first write failed): always, for any method.
   Nobody can have seen it.
3. Something was handed over: only if the connection had carried a response before (else the other end itself is
   failing, and would fail again), all of the request is still in our hands, and the caller declared it `repeatable`:
   the request may run twice without harm. For calls of functions nobody can know that, so it is never declared there,
   not even for GET; for reading requests to our own control plane it is.
"""


def may_resend(*, written: bool, answered: bool, reused: bool, whole: bool, repeatable: bool) -> bool:
    """Return whether a request may be sent again after its connection failed."""
    if answered:
        return False
    if not written:
        return True
    return reused and whole and repeatable
