"""Alerts come, fire and go as their rules say, whatever figures and clocks do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dayfly.decide.alert_hearing import MAX_HEARD, instances_of
from dayfly.decide.alert_rules import DEFAULTS, labels_of, text_of
from dayfly.decide.alerting import (
    KEPT_MS,
    MAX_INSTANCES,
    UNHEARD_MS,
    Instance,
    Reading,
    Terms,
    end,
    fingerprint,
    heard,
    step,
    unheard,
)
from dayfly.model.alert import WATCHED, AlertRule
from dayfly.model.alertmanager import TheirAlert, TheirMessage
from dayfly.model.errors import InvalidRequest, InvalidSpec

NOW = 1_700_000_000_000
NOBODY: frozenset[str] = frozenset()


def look(known: Any, value: float | None, now_ms: int, terms: Terms, **options: Any) -> dict[str, Instance]:
    """Look at one figure, or at its absence."""
    readings = {} if value is None else {"a": Reading({"of": "a"}, value)}
    return step(terms, known, readings, now_ms, **options)


def states(terms: Terms, figures: list[float | None], every_ms: int = 1_000) -> list[str]:
    """Return the states that an alert has with a row of figures; empty where there is none."""
    known: dict[str, Instance] = {}
    found: list[str] = []
    for number, figure in enumerate(figures):
        known = look(known, figure, NOW + number * every_ms, terms)
        found.append(known["a"].state if "a" in known else "")
    return found


def test_an_alert_is_pending_until_it_has_held_for_long_enough() -> None:
    terms = Terms(threshold=5, resolve=5, for_ms=2_000)
    assert states(terms, [5, 6, 6, 6, 5]) == ["", "pending", "pending", "firing", "resolved"]
    assert states(terms, [6, 6, None, 6, 6, 6]) == ["pending", "pending", "", "pending", "pending", "firing"]
    assert states(Terms(threshold=5, resolve=5), [6]) == ["firing"]


def test_one_below_the_threshold_is_an_alert_where_that_is_meant() -> None:
    assert states(Terms(above=False, threshold=5, resolve=5), [5, 4, 5]) == ["", "firing", "resolved"]


def test_what_fires_goes_on_up_to_where_it_is_resolved() -> None:
    terms = Terms(threshold=5, resolve=3)
    assert states(terms, [4, 6, 4, 3.5, 3, 4]) == ["", "firing", "firing", "firing", "resolved", "resolved"]


def test_what_fires_is_resolved_when_it_was_calm_for_long_enough() -> None:
    terms = Terms(threshold=5, resolve=5, keep_ms=2_000)
    assert states(terms, [6, 1, 6, 1, None, 1]) == ["firing"] * 5 + ["resolved"]


def test_without_a_threshold_all_that_is_there_is_an_alert() -> None:
    assert states(Terms(), [0, -1, None]) == ["firing", "firing", "resolved"]


def test_what_is_missing_stays_where_not_everything_is_known() -> None:
    terms = Terms(threshold=5, resolve=5)
    known = look({}, 6, NOW, terms)
    assert look(known, None, NOW + 1, terms, complete=False) == known
    assert look(known, 1, NOW + 1, terms, complete=False) == known
    assert look(known, 1, NOW + 1, terms)["a"].state == "resolved"


def test_what_is_resolved_is_shown_for_a_while_and_held_for_who_has_to_hear() -> None:
    terms = Terms(threshold=5, resolve=5)
    known = look(look({}, 6, NOW, terms), 1, NOW, terms)
    assert "a" in look(known, 1, NOW + KEPT_MS - 1, terms)
    assert "a" not in look(known, 1, NOW + KEPT_MS, terms)
    assert "a" in look(known, 1, NOW + KEPT_MS, terms, held=frozenset("a"))
    again = look(known, 6, NOW + 5, terms)["a"]
    assert (again.state, again.fired_unix_ms, again.resolved_unix_ms) == ("firing", NOW + 5, 0)


def test_the_alerts_of_a_rule_that_is_gone_are_over() -> None:
    terms = Terms(threshold=5, resolve=5, for_ms=10)
    assert end(look({}, 6, NOW, terms), NOW) == {}
    firing = look(look({}, 6, NOW, terms), 6, NOW + 10, terms)
    assert end(firing, NOW + 20)["a"].resolved_unix_ms == NOW + 20


def test_there_are_no_more_of_one_rule_than_there_may_be() -> None:
    readings = {str(number): Reading({}, 1) for number in range(MAX_INSTANCES + 5)}
    known = step(Terms(), {}, readings, NOW)
    assert len(known) == MAX_INSTANCES
    assert step(Terms(), known, readings, NOW).keys() == known.keys()


class Life(RuleBasedStateMachine):
    """Figures come and go on a clock that people set; what must hold holds after every look."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.terms = Terms(threshold=5, resolve=3, for_ms=20_000, keep_ms=30_000)
        self.known: dict[str, Instance] = {}
        self.bad_since: int | None = None
        """On the clock as the rule sees it."""
        self.fired_after: list[int] = []

    @rule(seconds=st.integers(0, 60), figure=st.sampled_from([None, 0.0, 3.0, 4.0, 5.0, 6.0]), complete=st.booleans())
    def look(self, seconds: int, figure: float | None, complete: bool) -> None:
        self.now += seconds * 1000
        before = self.known.get("a")
        self.known = look(self.known, figure, self.now, self.terms, complete=complete)
        after = self.known.get("a")
        firing = before is not None and before.state == "firing"
        if after is not None and after.state == "firing" and not firing:
            assert figure is not None
            assert figure > 5
            self.fired_after.append(after.fired_unix_ms - after.pending_unix_ms)
        if firing and figure is not None and figure > 3:
            assert after is not None
            assert after.state == "firing"
        if firing and after is not None and after.state == "resolved":
            assert before is not None
            assert complete
            assert before.calm_unix_ms or self.terms.keep_ms == 0
            assert self.now - before.calm_unix_ms >= self.terms.keep_ms
        if before is None and after is not None:
            assert after.state == "pending"

    @rule(back=st.integers(1, 100_000))
    def set_back(self, back: int) -> None:
        self.now -= back * 1000

    @invariant()
    def nothing_fired_too_early(self) -> None:
        assert all(lasted >= self.terms.for_ms for lasted in self.fired_after)

    @invariant()
    def it_is_written_and_read_as_it_is(self) -> None:
        encoded = msgspec.json.encode(self.known)
        assert msgspec.json.decode(encoded, type=dict[str, Instance]) == self.known


TestLife = Life.TestCase


def test_a_namespaces_rule_finds_nothing_of_another() -> None:
    mine = AlertRule(name="a", namespace="mine", kind="promql", expr="x", labels={"namespace": "other", "team": "t"})
    labels = labels_of(mine, {"namespace": "other", "alertname": "b", "severity": "info", "__name__": "x"})
    assert labels == {"namespace": "mine", "team": "t", "alertname": "a", "severity": "warning"}
    assert fingerprint("mine", labels) != fingerprint("", labels)


def test_every_kind_says_what_is_wrong_in_words() -> None:
    for kind in WATCHED:
        named = AlertRule(name="a", kind=kind, threshold=1, expr="x" if kind == "promql" else "")
        named.check()
        labels = {"function": "hello", "namespace": "team", "alertname": "a"}
        text = text_of(named, Instance(labels=labels, state="firing", value=2.5, pending_unix_ms=1))
        assert "than" in text
        assert "\n" not in text
        if WATCHED[kind].of_functions and kind != "promql":
            assert "hello.team" in text
    for each in DEFAULTS:
        each.check()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "latency"}, "threshold"),
        ({"kind": "promql"}, "expr"),
        ({"kind": "disk", "expr": "x"}, "expr"),
        ({"kind": "disk", "namespace": "team"}, "kind"),
        ({"kind": "error_rate", "function": "hello"}, "function"),
        ({"kind": "disk", "function": "hello"}, "function"),
        ({"kind": "error_rate", "for_": "soon"}, "for"),
        ({"kind": "error_rate", "for_": "800h"}, "for"),
        ({"kind": "error_rate", "window": "10s"}, "window"),
        ({"kind": "replicas", "threshold": 1, "window": "5m"}, "window"),
        ({"kind": "error_rate", "resolve": 0.9}, "resolve"),
        ({"kind": "no_traffic", "resolve": 0.5}, "resolve"),
        ({"kind": "promql", "expr": "x", "resolve": 1}, "resolve"),
        ({"kind": "latency", "threshold": 1, "quantile": 1.0}, "quantile"),
        ({"kind": "error_rate", "labels": {"a b": "c"}}, "labels"),
        ({"kind": "error_rate", "labels": {"a": "c\n"}}, "labels"),
        ({"kind": "error_rate", "summary": "\x1b[2J"}, "summary"),
        ({"kind": "promql", "expr": "x" * 5000}, "expr"),
    ],
)
def test_a_rule_that_cannot_be_watched_is_refused_by_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidSpec, match=f"^{field}: "):
        AlertRule(name="a", **fields).check()


def test_what_others_tell_of_fires_and_ends_as_they_say_or_when_they_are_silent() -> None:
    told = TheirMessage(alerts=(TheirAlert("firing", {"alertname": "a"}, {"description": "it burns\n\x1b[2J"}),))
    (instance,) = instances_of(told, "team", NOW)
    assert instance.labels == {"alertname": "a", "severity": "warning", "namespace": "team"}
    assert instance.text == "it burns  [2J"
    known = heard({}, {"a": instance})
    later = msgspec.structs.replace(instance, heard_unix_ms=NOW + 5, fired_unix_ms=NOW + 5)
    known = heard(known, {"a": later})
    assert (known["a"].fired_unix_ms, known["a"].heard_unix_ms) == (NOW, NOW + 5)
    over = msgspec.structs.replace(instance, state="resolved", resolved_unix_ms=NOW + 9)
    assert heard(known, {"a": over})["a"].resolved_unix_ms == NOW + 9
    assert heard({}, {"a": over}) == {}
    assert unheard(known, NOW + UNHEARD_MS, NOBODY) == known
    assert unheard(known, NOW + UNHEARD_MS + 6, NOBODY)["a"].state == "resolved"


def test_more_alerts_than_are_taken_at_once_are_refused_and_odd_labels_left_out() -> None:
    many = TheirMessage(alerts=(TheirAlert("firing"),) * (MAX_HEARD + 1))
    with pytest.raises(InvalidRequest, match="more than"):
        instances_of(many, "", NOW)
    odd = TheirMessage(alerts=(TheirAlert("firing", {"a b": "c", "": "d", "x" * 99: "e", "severity": "page"}),))
    assert instances_of(odd, "", NOW)[0].labels == {"alertname": "unnamed", "severity": "warning"}
