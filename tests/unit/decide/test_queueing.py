"""The queue's protocol: by example, by every story that two dispatchers can tell, and with each guard taken away."""

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from dayfly.decide import queueing
from dayfly.decide.queueing import CALLBACK_POLICY, Misstep, Outcome
from dayfly.model.queued import QueuedCall, Standing
from dayfly.model.retry import RetryPolicy

NOW = 1_000_000
CALL = QueuedCall(
    id="c", function="f.n", target="/", accepted_unix_ms=NOW, due_unix_ms=NOW, retry=RetryPolicy(attempts=3)
)
CALLING_BACK = msgspec.structs.replace(CALL, callback="https://example.com/")
OK, WRONG, GIVEN_UP = Outcome(status=200), Outcome(status=500, reason="It failed."), Outcome(status=400, reason="No.")


def after(standing: Standing, outcome: Outcome, call: QueuedCall = CALL) -> Standing:
    """Return where the call stands after one attempt of `me`."""
    claimed = queueing.claim(standing, "me")
    return queueing.conclude(claimed, "me", call, outcome, now_unix_ms=NOW, jitter=0.5)


def test_a_call_that_succeeds_is_done() -> None:
    assert after(Standing(), OK) == Standing(phase="done", attempts=1, status=200)


def test_a_call_that_fails_is_tried_as_often_as_its_policy_says_and_then_is_dead() -> None:
    standing = Standing()
    for attempt in (1, 2):
        standing = after(standing, WRONG)
        assert (standing.state, standing.attempts, standing.owner) == ("retrying", attempt, "")
        assert standing.due_unix_ms > NOW
    standing = after(standing, WRONG)
    assert (standing.phase, standing.attempts, standing.status, standing.reason) == ("dead", 3, 500, "It failed.")


def test_an_answer_that_is_not_to_be_retried_is_final() -> None:
    assert after(Standing(), GIVEN_UP).phase == "dead"
    assert after(Standing(), Outcome(status=302)).phase == "done"


def test_what_failed_on_the_platform_is_tried_again_whatever_the_codes() -> None:
    never = msgspec.structs.replace(CALL, retry=RetryPolicy(attempts=3, codes=()))
    assert after(Standing(), WRONG, never).phase == "dead"
    assert after(Standing(), Outcome(status=503, from_platform=True, reason="."), never).state == "retrying"
    assert after(Standing(), Outcome(from_platform=True, reason="."), never).state == "retrying"


def test_retry_after_is_waited_for_but_not_for_ever() -> None:
    patient = after(Standing(), Outcome(status=429, retry_after_s=100))
    assert patient.due_unix_ms == NOW + 100_000
    assert after(Standing(), Outcome(status=429, retry_after_s=1e9)).due_unix_ms == NOW + 3_600_000


def test_a_callback_is_made_before_the_call_is_over() -> None:
    standing = after(Standing(), OK, CALLING_BACK)
    assert (standing.phase, standing.verdict) == ("answering", "done")
    claimed = queueing.claim(standing, "me")
    assert queueing.delivered(claimed, "me", "", now_unix_ms=NOW, jitter=0).phase == "done"
    failed = queueing.delivered(claimed, "me", "refused", now_unix_ms=NOW, jitter=0)
    assert (failed.phase, failed.owner) == ("answering", "")
    assert failed.due_unix_ms > NOW


def test_a_callback_that_can_never_be_made_is_not_tried_again() -> None:
    claimed = queueing.claim(after(Standing(), OK, CALLING_BACK), "me")
    given_up = queueing.delivered(claimed, "me", "its answer is gone", now_unix_ms=NOW, jitter=0, final=True)
    assert (given_up.phase, given_up.owner, given_up.callbacks) == ("done", "", 1)
    assert "its answer is gone" in given_up.reason


def test_a_callback_that_nobody_takes_is_given_up() -> None:
    standing = after(Standing(), GIVEN_UP, CALLING_BACK)
    for _ in range(CALLBACK_POLICY.attempts):
        assert standing.phase == "answering"
        claimed = queueing.claim(standing, "me")
        standing = queueing.delivered(claimed, "me", "refused", now_unix_ms=NOW, jitter=0)
    assert standing.phase == "dead"
    assert "refused" in standing.reason


def test_what_never_reached_the_function_does_not_count() -> None:
    claimed = queueing.claim(Standing(), "me")
    assert queueing.release(claimed, "me", now_unix_ms=NOW, wait_s=2) == Standing(due_unix_ms=NOW + 2000)


def test_an_orphan_has_used_up_its_attempt() -> None:
    claimed = queueing.claim(Standing(attempts=1), "dead")
    orphan = queueing.orphan(claimed, "dead", CALL, now_unix_ms=NOW)
    assert (orphan.owner, orphan.attempts, orphan.state) == ("", 2, "retrying")
    last = queueing.orphan(queueing.claim(orphan, "dead"), "dead", CALL, now_unix_ms=NOW)
    assert last.phase == "dead"
    assert "may have run" in last.reason


def test_a_result_that_was_kept_before_the_end_is_believed() -> None:
    claimed = queueing.claim(Standing(), "dead")
    assert queueing.recall(claimed, "dead", CALL, "done", 200).phase == "done"
    assert queueing.recall(claimed, "dead", CALLING_BACK, "done", 200).phase == "answering"


# -- guards: each by the step that it refuses -------------------------------------------------------------------------

MINE = queueing.claim(Standing(), "me")
ANSWERING = after(Standing(), OK, CALLING_BACK)
Step = Callable[[], Standing]


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda: queueing.claim(MINE, "you"), id="what somebody works on is not claimed"),
        pytest.param(lambda: queueing.claim(Standing(phase="dead", attempts=1), "me"), id="nor what is dead"),
        pytest.param(lambda: queueing.claim(Standing(phase="cancelled"), "me"), id="nor what is cancelled"),
        pytest.param(
            lambda: queueing.conclude(MINE, "you", CALL, OK, now_unix_ms=NOW, jitter=0), id="only its owner concludes"
        ),
        pytest.param(
            lambda: queueing.conclude(queueing.cancel(MINE), "me", CALL, OK, now_unix_ms=NOW, jitter=0),
            id="not what was cancelled meanwhile",
        ),
        pytest.param(
            lambda: queueing.conclude(queueing.claim(ANSWERING, "me"), "me", CALL, OK, now_unix_ms=NOW, jitter=0),
            id="not what has been concluded",
        ),
        pytest.param(lambda: queueing.conclude(Standing(), "", CALL, OK, now_unix_ms=NOW, jitter=0), id="nobody does"),
        pytest.param(lambda: queueing.release(MINE, "you", now_unix_ms=NOW), id="only its owner releases"),
        pytest.param(lambda: queueing.orphan(MINE, "you", CALL, now_unix_ms=NOW), id="only the dead one's is orphaned"),
        pytest.param(lambda: queueing.recall(MINE, "you", CALL, "done", 200), id="or recalled"),
        pytest.param(
            lambda: queueing.delivered(MINE, "me", "", now_unix_ms=NOW, jitter=0), id="nothing is delivered early"
        ),
        pytest.param(
            lambda: queueing.delivered(queueing.claim(ANSWERING, "me"), "you", "", now_unix_ms=NOW, jitter=0),
            id="nor by another",
        ),
        pytest.param(lambda: queueing.cancel(ANSWERING), id="what has run is not cancelled"),
        pytest.param(lambda: queueing.cancel(Standing(phase="cancelled")), id="nor what is cancelled"),
        pytest.param(lambda: queueing.redrive(MINE, now_unix_ms=NOW), id="what lives is not redriven"),
    ],
)
def test_a_step_that_does_not_fit_is_refused(step: Step) -> None:
    with pytest.raises(Misstep):
        step()


@given(
    st.integers(1, 40),
    st.floats(0, 1),
    st.floats(0, 1),
    st.builds(
        lambda least, times: RetryPolicy(min_wait_s=least, max_wait_s=least * times),
        st.floats(0.001, 1000),
        st.floats(1, 10_000),
    ),
)
def test_waits_grow_and_spread_and_end_at_the_longest(
    attempt: int, one: float, other: float, policy: RetryPolicy
) -> None:
    wait_s = queueing.backoff_s(policy, attempt, one)
    assert 0 < wait_s <= policy.max_wait_s
    following_s = queueing.backoff_s(policy, attempt + 1, other)
    if policy.min_wait_s * 2**attempt <= policy.max_wait_s:
        assert wait_s <= following_s
    assert queueing.backoff_s(policy, attempt, 0) <= wait_s <= queueing.backoff_s(policy, attempt, 1)


# -- two dispatchers, one store -------------------------------------------------------------------------------------


class Protocol(RuleBasedStateMachine):
    """Two dispatchers, each in many lives, and one call. They see it late, and answer late.

    The store takes a move from the revision it has and from no other. What a dispatcher does, it decides on what it
    last read, which may be old.
    """

    call = CALLING_BACK
    guard_store = True

    def __init__(self) -> None:
        super().__init__()
        self.lives = ["a1", "b1"]
        self.alive = {"a1", "b1"}
        self.stored = (Standing(due_unix_ms=NOW), 0)
        self.read: dict[str, tuple[Standing, int]] = dict.fromkeys(self.lives, self.stored)
        self.sent: dict[str, tuple[Standing, int]] = {}
        """By life: the claim under which a call is under way."""
        self.concluded: list[tuple[int, int]] = []
        """Which attempt of which round was taken for over, each time one was."""
        self.cancelled = False
        self.round = 0
        self.history: list[Standing] = []

    def move(self, life: str, step: Callable[[Standing], Standing]) -> bool:
        """Do a step on what the life has read, if the store lets it."""
        standing, revision = self.read[life]
        try:
            after = step(standing)
        except Misstep:
            return False
        if self.guard_store and revision != self.stored[1]:
            return False
        self.stored = (after, self.stored[1] + 1)
        self.read[life] = self.stored
        self.history.append(after)
        return True

    @rule(at=st.integers(0, 1))
    def reads(self, at: int) -> None:
        self.read[self.lives[at]] = self.stored

    @rule(at=st.integers(0, 1))
    def claims(self, at: int) -> None:
        life = self.lives[at]
        if life not in self.sent and self.move(life, lambda standing: queueing.claim(standing, life)):
            self.sent[life] = self.read[life]

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), outcome=st.sampled_from([OK, WRONG, GIVEN_UP, Outcome(from_platform=True, reason="x")]))
    def answers(self, data: st.DataObject, outcome: Outcome) -> None:
        life = data.draw(st.sampled_from(sorted(self.sent)))
        claim, revision = self.sent.pop(life)
        if life not in self.alive:
            return
        self.read[life] = (claim, revision)
        if claim.phase == "answering":
            failure = outcome.reason
            self.move(life, lambda s: queueing.delivered(s, life, failure, now_unix_ms=NOW, jitter=0.5))
        elif self.move(life, lambda s: queueing.conclude(s, life, self.call, outcome, now_unix_ms=NOW, jitter=0.5)):
            self.concluded.append((self.round, claim.attempts))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def is_not_reached(self, data: st.DataObject) -> None:
        life = data.draw(st.sampled_from(sorted(self.sent)))
        claim = self.sent.pop(life)
        if life in self.alive:
            self.read[life] = claim
            self.move(life, lambda s: queueing.release(s, life, now_unix_ms=NOW))

    @rule(at=st.integers(0, 1))
    def dies(self, at: int) -> None:
        life = self.lives[at]
        self.alive.discard(life)
        following = f"{life[0]}{int(life[1:]) + 1}"
        self.lives[at] = following
        self.alive.add(following)
        self.read[following] = self.stored

    @rule(at=st.integers(0, 1))
    def takes_up(self, at: int) -> None:
        life = self.lives[at]
        owner = self.read[life][0].owner
        if owner and owner not in self.alive:
            self.move(life, lambda s: queueing.orphan(s, owner, self.call, now_unix_ms=NOW))

    @rule(at=st.integers(0, 1))
    def cancels(self, at: int) -> None:
        self.cancelled |= self.move(self.lives[at], queueing.cancel)

    @rule(at=st.integers(0, 1))
    def redrives(self, at: int) -> None:
        if self.move(self.lives[at], lambda s: queueing.redrive(s, now_unix_ms=NOW)):
            self.round += 1

    @invariant()
    def stands_well(self) -> None:
        assert queueing.invariants(self.call, self.stored[0]) == []

    @invariant()
    def no_attempt_is_taken_for_over_twice(self) -> None:
        assert len(self.concluded) == len(set(self.concluded)), self.history

    @invariant()
    def what_was_cancelled_stays_so(self) -> None:
        assert not self.cancelled or self.stored[0].phase == "cancelled", self.history

    @invariant()
    def what_is_done_stays_so(self) -> None:
        over = [standing for standing in self.history if standing.phase == "done"]
        assert not over or self.stored[0].phase == "done", self.history

    @invariant()
    def one_works_on_it(self) -> None:
        working = [life for life in self.sent if life in self.alive and self.stored[0].owner == life]
        assert len(working) <= 1


TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


def broken(monkeypatch: pytest.MonkeyPatch, name: str, loosened: Callable[..., Any]) -> None:
    monkeypatch.setattr(queueing, name, loosened)


def finds_a_fault(machine: type[Protocol], stories: int = 2000) -> bool:
    """Return whether the story of a fault is found, in stories that are the same each time."""
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=stories,
                stateful_step_count=40,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                derandomize=True,
            ),
        )
    except AssertionError:
        return True
    return False


def test_without_the_stores_guard_a_fault_is_found() -> None:
    class Unguarded(Protocol):
        guard_store = False

    assert finds_a_fault(Unguarded)


def test_without_the_owners_guard_a_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoEpoch(Protocol):
        """The store's guard goes too: it would hide what the owner's is for."""

        def move(self, life: str, step: Callable[[Standing], Standing]) -> bool:
            self.read[life] = copy.copy(self.stored)
            return super().move(life, step)

    broken(monkeypatch, "_owned", lambda *_: None)
    assert finds_a_fault(NoEpoch)


def test_with_the_owners_guard_alone_none_is() -> None:
    class Fresh(Protocol):
        def move(self, life: str, step: Callable[[Standing], Standing]) -> bool:
            self.read[life] = copy.copy(self.stored)
            return super().move(life, step)

    assert not finds_a_fault(Fresh, stories=60)


def test_without_the_guard_of_cancelled_calls_a_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def eager(standing: Standing, owner: str) -> Standing:
        return msgspec.structs.replace(standing, phase="queued", owner=owner, attempts=standing.attempts + 1)

    broken(monkeypatch, "claim", eager)
    assert finds_a_fault(Protocol)
