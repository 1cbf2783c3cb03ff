"""Receivers hear of everything, in groups, and no more often than they want to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dayfly.decide.alert_groups import (
    FIRST_RETRY_MS,
    LONGEST_RETRY_MS,
    Group,
    Member,
    Pace,
    failed,
    fits,
    forget,
    group_labels,
    plan,
    sent,
    wants,
)
from dayfly.model.alert import Matcher
from dayfly.model.errors import InvalidSpec
from dayfly.model.receiver import Receiver, SlackTarget

NOW = 1_700_000_000_000
PACE = Pace(wait_ms=30_000, interval_ms=300_000, repeat_ms=3_600_000)


def firing(name: str = "a", since: int = NOW) -> Member:
    return Member(name, True, since)


def ended(name: str = "a", since: int = NOW) -> Member:
    return Member(name, False, since)


def new() -> Group:
    return Group(labels={}, opened_unix_ms=NOW)


def test_a_new_group_waits_for_more_and_is_told_of_together() -> None:
    early = plan(PACE, new(), [firing()], NOW + 29_999)
    assert (early.what, early.due_unix_ms) == ("wait", NOW + 30_000)
    due = plan(PACE, new(), [firing(), firing("b")], NOW + 30_000)
    assert (due.what, {each.id for each in due.members}) == ("send", {"a", "b"})


def test_news_of_a_group_waits_for_its_interval_and_nothing_new_for_the_repetition() -> None:
    group = sent(new(), [firing()], NOW)
    assert plan(PACE, group, [firing(), firing("b")], NOW + 299_999).due_unix_ms == NOW + 300_000
    assert plan(PACE, group, [firing(), firing("b")], NOW + 300_000).what == "send"
    assert plan(PACE, group, [firing()], NOW + 300_000).due_unix_ms == NOW + 3_600_000
    assert plan(PACE, group, [firing()], NOW + 3_600_000).what == "send"


def test_an_end_is_told_to_who_was_told_of_the_beginning_and_to_nobody_else() -> None:
    group = sent(new(), [firing()], NOW)
    told = plan(PACE, group, [ended(), ended("never-told")], NOW + 300_000)
    assert (told.what, told.members) == ("send", (ended(),))
    assert plan(PACE, sent(group, told.members, NOW + 300_000), [ended()], NOW + 300_001).what == "close"
    assert plan(PACE, new(), [ended()], NOW + 99_999).what == "close"
    silent = Pace(0, 0, 3_600_000, send_resolved=False)
    assert plan(silent, group, [ended()], NOW + 300_000).what == "close"


def test_one_that_fires_again_is_news() -> None:
    group = sent(new(), [firing()], NOW)
    assert plan(PACE, group, [firing(since=NOW + 5)], NOW + 300_000).what == "send"


def test_one_that_is_silenced_is_waited_for_and_one_that_is_gone_is_not() -> None:
    group = sent(new(), [firing()], NOW)
    assert plan(PACE, group, [], NOW + 300_000).what == "wait"
    assert plan(PACE, group, [ended()], NOW + 9_000_000).what == "send"
    assert plan(PACE, forget(group, ["a"]), [], NOW + 300_000).what == "close"


def test_what_fails_is_tried_again_later_each_time_and_not_for_ever_later() -> None:
    group, waits = new(), []
    now = NOW + 30_000
    for _ in range(12):
        group = failed(group, now)
        step = plan(PACE, group, [firing()], now)
        assert step.what == "wait"
        waits.append(step.due_unix_ms - now)
        now = step.due_unix_ms
        assert plan(PACE, group, [firing()], now).what == "send"
    assert waits[0] == FIRST_RETRY_MS
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_RETRY_MS
    assert sent(group, [firing()], now).failures == 0
    assert plan(PACE, failed(new(), NOW), [ended()], NOW).what == "close"


def test_a_clock_that_was_put_back_keeps_nobody_waiting_for_longer_than_the_span() -> None:
    group = sent(new(), [firing()], NOW)
    step = plan(PACE, group, [firing(), firing("b")], NOW - 10**9)
    assert step.due_unix_ms <= NOW - 10**9 + PACE.interval_ms


class Traffic(RuleBasedStateMachine):
    """Alerts fire and end while sending works or does not. The receiver hears the truth, not too often."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.pace = Pace(wait_ms=10_000, interval_ms=60_000, repeat_ms=600_000)
        self.firing: dict[str, int] = {}
        self.ended: dict[str, int] = {}
        self.group: Group | None = None
        self.heard: dict[str, bool] = {}
        self.sent_at: list[int] = []
        self.works = True

    @rule(name=st.sampled_from("abc"))
    def fire(self, name: str) -> None:
        if name not in self.firing:
            self.firing[name] = self.now
            self.ended.pop(name, None)

    @rule(name=st.sampled_from("abc"))
    def stop(self, name: str) -> None:
        if name in self.firing:
            self.ended[name] = self.firing.pop(name)

    @rule(works=st.booleans())
    def break_or_mend(self, works: bool) -> None:
        self.works = works

    @rule(seconds=st.integers(1, 90))
    def wait(self, seconds: int) -> None:
        until = self.now + seconds * 1000
        while self.now < until:
            self.now += 1000
            self.look()

    def look(self) -> None:
        members = [firing(name, since) for name, since in self.firing.items()]
        members += [ended(name, since) for name, since in self.ended.items()]
        if self.group is None:
            if not self.firing:
                return
            self.group = Group(labels={}, opened_unix_ms=self.now)
        step = plan(self.pace, self.group, members, self.now)
        if step.what == "close":
            self.group = None
        elif step.what == "send" and not self.works:
            self.group = failed(self.group, self.now)
        elif step.what == "send":
            assert step.members
            self.group = sent(self.group, step.members, self.now)
            self.sent_at.append(self.now)
            for each in step.members:
                assert each.firing or self.heard.get(each.id), "an end of what was never told"
                self.heard[each.id] = each.firing

    @invariant()
    def nobody_is_told_too_often(self) -> None:
        pairs = zip(self.sent_at, self.sent_at[1:], strict=False)
        assert all(later - sooner >= min(self.pace.interval_ms, self.pace.wait_ms) for sooner, later in pairs)

    def teardown(self) -> None:
        self.works = True
        for _ in range(LONGEST_RETRY_MS // 1000 + 61):
            self.now += 1000
            self.look()
        assert all(self.heard.get(name) for name in self.firing)
        assert not [name for name, is_firing in self.heard.items() if is_firing and name not in self.firing]


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=60, stateful_step_count=30)


@pytest.mark.parametrize(
    ("pattern", "text", "is_like"),
    [
        ("a", "a", True), ("a", "ab", False), ("*", "", True), ("*", "x", True), ("a*", "abc", True),
        ("a*", "ba", False), ("*c", "abc", True), ("a*c", "abc", True), ("a*c", "a", False), ("ab*ba", "aba", False),
        ("a*b*c", "a-b-c", True), ("a*b*c", "a-c-b", False), ("**", "anything", True), ("a.c", "abc", False),
        ("a" + "*a" * 40 + "b", "a" * 200, False),
    ],
)  # fmt: skip
def test_a_star_stands_for_any_text(pattern: str, text: str, is_like: bool) -> None:
    assert fits(Matcher("x", pattern), {"x": text}) is is_like
    assert fits(Matcher("x", pattern, is_equal=False), {"x": text}) is not is_like


def test_a_label_that_is_not_there_is_empty() -> None:
    assert fits(Matcher("x", ""), {})
    assert fits(Matcher("x", "a", is_equal=False), {})
    assert not fits(Matcher("x", "a"), {})


def test_matchers_are_written_as_people_write_them() -> None:
    assert Matcher.parse("a=b=c") == Matcher("a", "b=c")
    assert Matcher.parse("a!=b").text == "a!=b"
    for text in ("a", "=b", "a b=c", "a=b\nc"):
        with pytest.raises(InvalidSpec):
            Matcher.parse(text)


def receiver(**fields: Any) -> Receiver:
    return Receiver(name="ops", target=SlackTarget(), **fields)


def test_a_receiver_hears_of_its_namespace_of_what_it_matches_and_of_what_is_bad_enough() -> None:
    labels = {"namespace": "team", "alertname": "x"}
    assert wants(receiver(), labels, "info", ())
    assert wants(receiver(namespace="team"), labels, "info", ())
    assert not wants(receiver(namespace="other"), labels, "critical", ())
    assert not wants(receiver(namespace="team"), {"alertname": "disk"}, "critical", ())
    assert not wants(receiver(min_severity="critical"), labels, "warning", ())
    assert wants(receiver(min_severity="warning"), labels, "warning", ())
    assert not wants(receiver(matchers=(Matcher("alertname", "y*"),)), labels, "info", ())
    assert wants(receiver(), labels, "info", ("ops",))
    assert not wants(receiver(), labels, "info", ("other",))
    assert group_labels(receiver(group_by=("alertname", "function")), labels) == {"alertname": "x", "function": ""}
