"""The chain of the audit log: whoever alters an entry is found, and what differs is told without secrets."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from dayfly.decide.audit_chain import MAX_CHANGES, MAX_VALUE_CHARACTERS, canonical, chained, differences, verdict
from dayfly.decide.redaction import REDACTED
from dayfly.model.audit import GENESIS, AuditDraft, AuditEntry, AuditHead, Change, audit_limits
from dayfly.model.errors import InvalidSpec

START = AuditHead(0, GENESIS)
words = some.text(max_size=8)
plain = some.none() | some.booleans() | some.integers(-(2**53), 2**53) | words
data = some.recursive(
    plain, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(words, inner, max_size=3), max_leaves=8
)
drafts = some.builds(
    AuditDraft, at=some.integers(0, 2**53), who=words, role=words, address=words, action=words, namespace=words,
    target=words, status=some.integers(0, 599),
    changes=some.lists(some.builds(Change, path=words, before=plain, after=plain), max_size=2).map(tuple),
)  # fmt: skip


def chain_of(told: list[AuditDraft], anchor: AuditHead = START) -> list[AuditEntry]:
    made: list[AuditEntry] = []
    for draft in told:
        entry = chained(draft, anchor)
        anchor = AuditHead(entry.sequence, entry.hash)
        made.append(entry)
    return made


@given(some.lists(drafts, max_size=6), some.integers(0, 10))
def test_what_was_written_holds_also_after_json(told: list[AuditDraft], after: int) -> None:
    anchor = AuditHead(after, "a" * 64)
    entries = msgspec.json.decode(msgspec.json.encode(chain_of(told, anchor)), type=list[AuditEntry])
    found = verdict(anchor, entries, last=after + len(told))
    assert (found.whole, found.entries, found.broken) == (True, len(told), 0)
    assert found.head.sequence == after + len(told)


@given(some.lists(drafts, min_size=2, max_size=6), some.data())
def test_an_altered_entry_is_named(told: list[AuditDraft], choice: some.DataObject) -> None:
    entries = chain_of(told)
    at = choice.draw(some.integers(0, len(entries) - 1))
    field = choice.draw(some.sampled_from(["who", "action", "namespace", "target", "address", "role"]))
    forged = msgspec.structs.replace(entries[at], **{field: getattr(entries[at], field) + "x"})
    found = verdict(START, [*entries[:at], forged, *entries[at + 1 :]])
    assert (found.whole, found.broken, found.entries) == (False, at + 1, at)


@given(some.lists(drafts, min_size=2, max_size=6), some.data())
def test_an_entry_that_was_altered_with_its_hash_breaks_the_next(
    told: list[AuditDraft], choice: some.DataObject
) -> None:
    entries = chain_of(told)
    at = choice.draw(some.integers(0, len(entries) - 2))
    before = AuditHead(at, entries[at - 1].hash) if at else START
    forged = chained(msgspec.structs.replace(told[at], who=told[at].who + "x"), before)
    assert verdict(START, [*entries[:at], forged, *entries[at + 1 :]]).broken == at + 2


@given(some.lists(drafts, min_size=2, max_size=6), some.data())
def test_what_was_taken_out_exchanged_or_cut_off_is_named(told: list[AuditDraft], choice: some.DataObject) -> None:
    entries = chain_of(told)
    at = choice.draw(some.integers(0, len(entries) - 1))
    assert verdict(START, entries[:at] + entries[at + 1 :], last=len(entries)).broken == at + 1
    renumbered = [msgspec.structs.replace(each, sequence=each.sequence - 1) for each in entries[at + 1 :]]
    assert not verdict(START, entries[:at] + renumbered, last=len(entries)).whole
    head = AuditHead(entries[-1].sequence, entries[-1].hash)
    assert verdict(START, entries[:-1], noted=head).reason == f"the log was cut off: entry {head.sequence} was noted"
    assert verdict(START, entries, noted=head).whole


def test_a_log_made_anew_differs_from_the_head_that_was_noted() -> None:
    told = [AuditDraft(who="admin", action="function.put", at=at) for at in range(3)]
    noted = AuditHead(2, chain_of(told)[1].hash)
    anew = chain_of([msgspec.structs.replace(told[0], who="somebody"), *told[1:]])
    assert verdict(START, anew).whole, "by itself nothing is wrong with it"
    assert verdict(START, anew, noted=noted).broken == 2
    anchor = AuditHead(2, "b" * 64)
    assert verdict(anchor, [], noted=noted).broken == 2


def test_the_hash_is_over_what_anybody_can_make() -> None:
    draft = AuditDraft(at=1, who="admin", role="admin", action="secret.put", namespace="ns", target="key", status=201)
    assert canonical(draft, 7) == (
        b'{"action":"secret.put","address":"","at":1,"changes":[],"namespace":"ns","role":"admin","sequence":7,'
        b'"status":201,"target":"key","who":"admin"}'
    )


@given(data, data)
def test_what_differs_is_told_and_nothing_else(before: Any, after: Any) -> None:
    found = differences(before, after)
    assert differences(before, before) == ()
    unequal = (msgspec.json.encode(each.before) != msgspec.json.encode(each.after) for each in found)
    assert all(unequal) or REDACTED in [each.before for each in found]
    if msgspec.json.encode(before, order="deterministic") == msgspec.json.encode(after, order="deterministic"):
        assert found == ()


def test_members_are_named_by_their_paths() -> None:
    before = {"spec": {"image": "a", "env": {"MODE": "test"}, "secrets": ["one"]}, "steps": [{"do": "call"}]}
    after = {"spec": {"image": "b", "env": {"MODE": "live", "DB_PASSWORD": "s3cret"}, "secrets": ["two"]}, "steps": []}
    assert {each.path: (each.before, each.after) for each in differences(before, after)} == {
        "spec.image": ("a", "b"),
        "spec.env.MODE": ("test", "live"),
        "spec.env.DB_PASSWORD": (None, REDACTED),
        "spec.secrets": (["one"], ["two"]),
        "steps.0.do": ("call", None),
    }


@pytest.mark.parametrize("name", ["password", "API_KEY", "authToken", "CLIENT-SECRET", "private_key"])
def test_what_may_be_a_secret_is_not_told(name: str) -> None:
    (found,) = differences({"list": [{name: "one"}]}, {"list": [{name: "two"}]})
    assert (found.before, found.after) == (REDACTED, REDACTED)


def test_much_is_cut() -> None:
    (found,) = differences(None, {"text": "x" * 5000})
    assert found.after == "x" * MAX_VALUE_CHARACTERS + "… (5000 characters)"
    many = differences({}, {str(number): number for number in range(MAX_CHANGES + 5)})
    assert (len(many), many[-1].path) == (MAX_CHANGES + 1, "…")


def test_limits_are_read_and_refused() -> None:
    assert audit_limits("keep=24h, entries=10").entries == 10
    assert audit_limits("").keep_s == 365 * 86_400
    for wrong in ("keep=1m", "entries=0", "entries=x", "size=1"):
        with pytest.raises(InvalidSpec):
            audit_limits(wrong)
