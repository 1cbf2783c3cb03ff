"""The chain of the audit log, and what differs between two states: pure, so that anybody can check an export by it.

The hash of an entry is SHA-256 over the hash before it, in hex, a line's end, and the entry in canonical JSON: all of
its members but the hash, keys in order, no blanks, UTF-8.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from dayfly.decide.redaction import REDACTED
from dayfly.model.audit import AuditDraft, AuditEntry, AuditHead, AuditVerdict, Change

MAX_CHANGES = 200
MAX_VALUE_CHARACTERS = 1_000
_MISSING = object()
_SECRET = ("password", "passwd", "secret", "token", "credential", "api_key", "apikey", "private", "authorization")
"""What is in the name of a member whose value is not written down: people put such things into environments."""
_NAMES_ONLY = ("secret", "secrets", "token_id")
"""Members that hold names of secrets, which may be shown."""
_encoder = msgspec.json.Encoder(order="deterministic")


def canonical(draft: AuditDraft, sequence: int) -> bytes:
    """Return what is hashed of an entry."""
    fields = {name: getattr(draft, name) for name in AuditDraft.__struct_fields__}
    return _encoder.encode({**fields, "sequence": sequence})


def chained(draft: AuditDraft, head: AuditHead) -> AuditEntry:
    """Return the entry that follows the one at `head`."""
    sequence = head.sequence + 1
    fields = {name: getattr(draft, name) for name in AuditDraft.__struct_fields__}
    return AuditEntry(**fields, sequence=sequence, hash=_hash(head.hash, canonical(draft, sequence)))


class Chain:
    """Checks entries that follow the anchor, one after the other; the first that does not hold is named.

    `noted` is a head that somebody keeps elsewhere: what lies at or before it must be there.
    """

    def __init__(self, anchor: AuditHead, noted: AuditHead | None = None) -> None:
        self._anchor, self._noted = anchor, noted
        self._head, self._count = anchor, 0
        self._broken: tuple[int, str] | None = None

    @property
    def holds(self) -> bool:
        """Whether all that were taken do."""
        return self._broken is None

    def take(self, entry: AuditEntry) -> None:
        """Look at the next entry; nothing after the first that is broken changes anything."""
        if self._broken is None:
            self._broken = self._wrong_with(entry)

    def verdict(self, last: int) -> AuditVerdict:
        """Return what it came to; `last` is the highest number that was ever given, which must be there."""
        broken = self._broken or self._lacking(last) or (0, "")
        return AuditVerdict(
            whole=not broken[1], entries=self._count, anchor=self._anchor, head=self._head, broken=broken[0],
            reason=broken[1],
        )  # fmt: skip

    def _wrong_with(self, entry: AuditEntry) -> tuple[int, str] | None:
        head, noted = self._head, self._noted
        expected = head.sequence + 1
        if entry.sequence != expected:
            return expected, f"entry {expected} is missing: entry {entry.sequence} comes after {head.sequence}"
        if entry.hash != _hash(head.hash, canonical(entry, entry.sequence)):
            return expected, f"entry {expected} is not what was written, or one before it was taken out"
        self._head, self._count = AuditHead(entry.sequence, entry.hash), self._count + 1
        if noted is not None and noted.sequence == entry.sequence and noted.hash != entry.hash:
            return expected, f"entry {expected} has another hash than the one that was noted"
        return None

    def _lacking(self, last: int) -> tuple[int, str] | None:
        head, noted, anchor = self._head, self._noted, self._anchor
        if last > head.sequence:
            return head.sequence + 1, f"the log was cut off: {last} entries were written"
        if noted is not None and noted.sequence > head.sequence:
            return head.sequence + 1, f"the log was cut off: entry {noted.sequence} was noted"
        if noted is not None and noted.sequence == anchor.sequence and noted.hash != anchor.hash:
            return anchor.sequence, f"entry {anchor.sequence} had another hash when it was noted"
        return None


def verdict(
    anchor: AuditHead, entries: Iterable[AuditEntry], *, last: int = 0, noted: AuditHead | None = None
) -> AuditVerdict:
    """Return whether entries that follow the anchor hold, as `Chain` says."""
    chain = Chain(anchor, noted)
    for entry in entries:
        chain.take(entry)
        if not chain.holds:
            break
    return chain.verdict(last)


def differences(before: Any, after: Any) -> tuple[Change, ...]:
    """Return what differs, in the order of the paths; long values are cut, and what a secret may be is left out."""
    found: list[Change] = []
    for path, old, new in _differing((), before, after):
        if len(found) == MAX_CHANGES:
            found.append(Change(path="…", after=f"more than {MAX_CHANGES} members differ"))
            break
        hidden = _is_secret(path)
        found.append(
            Change(
                path=".".join(path),
                before=None if old is _MISSING else REDACTED if hidden else _cut(old),
                after=None if new is _MISSING else REDACTED if hidden else _cut(new),
            )
        )
    return tuple(found)


def _hash(before: str, text: bytes) -> str:
    return hashlib.sha256(before.encode() + b"\n" + text).hexdigest()


def _differing(path: tuple[str, ...], before: Any, after: Any) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if before == after and type(before) is type(after):
        return
    if {id(before), id(after)} <= {id(None), id(_MISSING)}:
        return  # Null is what a member that is not there is told as.
    olds, news = _members(before), _members(after)
    if olds is None or news is None or not (olds or news):
        yield path, before, after
        return
    for name in dict.fromkeys((*olds, *news)):
        yield from _differing((*path, name), olds.get(name, _MISSING), news.get(name, _MISSING))


def _members(value: Any) -> dict[str, Any] | None:
    """Return a value's members, none for what is not there; None for what has none. A list of words is one value."""
    if value is None or value is _MISSING:
        return {}
    if isinstance(value, list | tuple) and (not value or any(isinstance(each, dict | list | tuple) for each in value)):
        return {str(place): item for place, item in enumerate(value)}
    return value if isinstance(value, dict) else None


def _is_secret(path: tuple[str, ...]) -> bool:
    name = path[-1].lower().replace("-", "_") if path else ""
    return name not in _NAMES_ONLY and any(word in name for word in _SECRET)


def _cut(value: Any) -> Any:
    text = value if isinstance(value, str) else _encoder.encode(value).decode()
    if len(text) <= MAX_VALUE_CHARACTERS:
        return value
    return text[:MAX_VALUE_CHARACTERS] + f"… ({len(text)} characters)"
