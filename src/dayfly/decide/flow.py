"""How a flow of steps goes on: from what a run's log says to what happens next, without clock, store or socket.

    walk the steps in their order
      settled    ──► its result is known to those that come after
      not begun  ──► Begun, with what it works on
      under way  ──► its kind says: a result, an error, or not yet
      failed     ──► again after a wait │ the steps of its catch │ the error is that of the steps around it

What always holds: a step begins only when all before it in its sequence are settled; an attempt is begun once, and what
it asks for outside is always the same, since it is in the log; what is settled stays. Of steps that go on side by side
the first in order that fails is the one whose error counts, and those after it end: so the outcome does not depend on
who was faster.

A walk takes the entries that it decides into the records as it goes. They are to be written before anything else is
done; whoever cannot write them lets go of the records and reads the log again.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from dayfly.decide.expressions import Meter, Unanswerable
from dayfly.decide.flow_code import Told, is_too_large
from dayfly.decide.flow_kinds import TAKERS, WORK, Done, Outcome, begin_input, bounded, due_of, expression, failure
from dayfly.decide.flow_plan import Order, Plan
from dayfly.decide.flow_records import Record, Records
from dayfly.model.flow_run import Begun, Ended, Entry, Failed, Finished, FlowError, FlowRun
from dayfly.model.flow_step import Call, Choice, Code, Delay, Group, Map, Parallel, Step
from dayfly.model.quantities import parse_duration

MAX_ATTEMPTS = 10_000
"""Attempts of steps that one run may begin."""
FINAL = frozenset(("expression", "too_large", "rejected"))
"""Errors that another attempt would only repeat; a retry that names one tries it again all the same."""
Scope = dict[str, Any]
Child = tuple[str, tuple[Step, ...], Scope]


def decide(run: FlowRun, records: Records, now_unix_ms: int) -> Plan:
    """Return what is to be done for the run now, nothing when it is over."""
    if records.finished is not None:
        return Plan()
    return _Walk(run, records, now_unix_ms).plan()


class _Exhausted(Exception):
    """The run has begun as many attempts as one may."""


class _Walk:
    def __init__(self, run: FlowRun, records: Records, now_unix_ms: int) -> None:
        self._run = run
        self._records = records
        self._now = now_unix_ms
        self._deadline = run.started_unix_ms + run.spec.timeout_ms
        self._wake = self._deadline
        self._entries: list[Entry] = []
        self._orders: list[Order] = []
        self._spent = 0

    def plan(self) -> Plan:
        finished = self._finished()
        if finished is not None:
            self._take(finished)
            return Plan(entries=tuple(self._entries))
        return Plan(entries=tuple(self._entries), orders=tuple(self._orders), wake_unix_ms=self._wake)

    def _finished(self) -> Finished | None:
        cancelled = self._records.cancelled
        if cancelled is not None:
            error = FlowError(code="cancelled", message=f"{cancelled.by or 'Somebody'} cancelled it.")
            return Finished(state="cancelled", error=error)
        if self._now >= self._deadline:
            text = f"The run took longer than the flow's timeout, {self._run.spec.timeout}."
            return Finished(state="failed", error=FlowError(code="timeout", message=text))
        scope = {"input": self._run.input, "last": self._run.input}
        try:
            outcome = self._sequence(self._run.spec.steps, "", scope)
            if isinstance(outcome, Done) and self._run.spec.output:
                outcome = Done(bounded(expression(self._run.spec.output).evaluate(scope, Meter(WORK))))
        except Unanswerable as error:
            outcome = FlowError(code="expression", message=f"output: {error}")
        except _Exhausted:
            outcome = FlowError(code="limit", message=f"A run begins at most {MAX_ATTEMPTS} attempts of steps.")
        if outcome is None:
            return None
        if isinstance(outcome, Done):
            return Finished(state="done", result=outcome.result)
        return Finished(state="failed", error=outcome)

    def _sequence(self, steps: tuple[Step, ...], prefix: str, scope: Scope) -> Outcome:
        """Take the steps one after another; what they come to is added to the scope."""
        for step in steps:
            outcome = self._step(step, prefix + step.name, scope)
            if not isinstance(outcome, Done):
                return outcome
            scope[step.name] = scope["last"] = outcome.result
        return Done(scope["last"])

    def _step(self, step: Step, path: str, scope: Scope) -> Outcome:
        while True:
            record = self._records.of(path)
            if record.settled:
                return Done(record.result)
            if record.attempt and not record.ended_unix_ms:
                outcome = self._attempt(step, path, record, scope)
                if outcome is None:
                    return None
                if isinstance(outcome, Done):
                    self._take(Ended(path=path, attempt=record.attempt, result=outcome.result, signal=outcome.signal))
                else:
                    error = outcome if outcome.step else msgspec.structs.replace(outcome, step=path)
                    self._take(Failed(path=path, attempt=record.attempt, error=error))
            elif record.error is not None and not _again(step, record):
                return self._give_up(step, path, record, record.error, scope)
            elif not self._begin(step, path, record, scope):
                return None

    def _begin(self, step: Step, path: str, record: Record, scope: Scope) -> bool:
        """Begin the next attempt; return whether it is time to."""
        due_unix_ms = next_attempt_unix_ms(step, record)
        if due_unix_ms > self._now:
            self._wake = min(self._wake, due_unix_ms)
            return False
        if self._spent > WORK // 2:  # Others want to get on too: the walk is taken up again at once.
            self._wake = self._now
            return False
        if self._records.attempts >= MAX_ATTEMPTS:
            raise _Exhausted
        attempt, meter = record.attempt + 1, Meter(WORK)
        try:
            given = begin_input(step, scope, meter)
            due = due_of(step, scope, self._now)
        except Unanswerable as error:
            self._take(Begun(path=path, attempt=attempt))
            self._take(Failed(path=path, attempt=attempt, error=failure("expression", str(error), path)))
        else:
            self._take(Begun(path=path, attempt=attempt, input=given, due_unix_ms=due))
        self._spent += meter.spent
        return True

    def _attempt(self, step: Step, path: str, record: Record, scope: Scope) -> Outcome:
        """Return what the attempt under way came to, None when that is not known yet."""
        is_late = 0 < record.due_unix_ms <= self._now and not isinstance(step, Delay)
        outcome: Outcome = None
        taker = TAKERS.get(type(step))
        if taker is not None:
            meter = Meter(WORK)
            try:
                outcome = taker(step, scope, record, self._records, meter, self._now)
            except Unanswerable as error:
                outcome = failure("expression", str(error), path)
            self._spent += meter.spent
        elif not is_late:
            outcome = self._around(step, path, record, scope)
        if outcome is None and is_late:
            return failure("timeout", f"It took longer than its timeout, {step.timeout}.", path)
        if outcome is None and record.due_unix_ms:
            self._wake = min(self._wake, record.due_unix_ms)
        return outcome

    def _around(self, step: Step, path: str, record: Record, scope: Scope) -> Outcome:
        """Go on with a step that needs others, functions or the steps inside it."""
        inside = path if record.attempt == 1 else f"{path}~{record.attempt}"
        match step:
            case Call(function=function):
                self._orders.append(Order(path, record.attempt, function, record.input))
                return None
            case Code():
                return self._code(step, inside, record)
            case Group():
                return self._sequence(step.steps, f"{inside}.", dict(scope))
            case Choice():
                at = record.input
                steps = step.otherwise if at is None else step.branches[at].steps
                return self._sequence(steps, f"{inside}.{'otherwise' if at is None else at}.", dict(scope))
            case Parallel(branches=branches):
                children = ((f"{inside}.{name}.", steps, dict(scope)) for name, steps in branches.items())
                outcome = self._several(children, step.concurrency)
                if isinstance(outcome, Done):
                    return Done(dict(zip(branches, outcome.result, strict=True)))
                return outcome
            case Map():
                items = enumerate(record.input)
                each = (
                    (f"{inside}.{at}.", step.steps, scope | {"item": item, "index": at, "last": item})
                    for at, item in items
                )
                return self._several(each, step.concurrency)
        raise AssertionError(f"nobody knows how to take {type(step).__name__}")

    def _code(self, step: Code, inside: str, record: Record) -> Outcome:
        """Take a turn of the code when there is something new for it, and go on with all that it waits for."""
        told = Told.of(self._records, inside)
        while isinstance(told, Told):
            news = []
            for number, (wanted, path) in told.open():
                outcome = self._step(wanted, path, {"last": told.body(number)})
                if outcome is not None:
                    news.append((self._records.of(path).ended_unix_ms, number))
            if told.turn_is_open:
                body = told.turn(self._run, record)
                if not is_too_large(body):
                    self._orders.append(Order(told.turn_path, 1, step.function, body))
                    return None
                text = "All that the code has asked for, and what came of it, is too much for one turn."
                self._take(Failed(path=told.turn_path, error=failure("too_large", text, told.turn_path)))
            elif told.turns and not news:
                return None
            elif self._records.attempts >= MAX_ATTEMPTS:
                raise _Exhausted
            else:
                self._take(Begun(path=told.turn_path, input=[number for _, number in sorted(news)]))
            told = Told.of(self._records, inside)
        return told

    def _several(self, children: Iterable[Child], concurrency: int) -> Outcome:
        """Take sequences side by side; the result is the list of theirs."""
        results, busy, failed = [], 0, None
        for prefix, steps, scope in children:
            last = self._records.of(prefix + steps[-1].name) if steps else None
            outcome = Done(last.result) if last and last.settled else self._sequence(steps, prefix, scope)
            if isinstance(outcome, FlowError):
                failed = outcome
                break
            if isinstance(outcome, Done):
                results.append(outcome.result)
                continue
            busy += 1
            if busy >= concurrency:
                break
        return None if busy else failed or Done(results)

    def _give_up(self, step: Step, path: str, record: Record, error: FlowError, scope: Scope) -> Outcome:
        """Return what a step comes to that has failed for good: its catch may make good for it."""
        catch = step.catch
        if catch is None or (catch.on and error.code not in catch.on):
            return error
        seen = scope | {"error": msgspec.to_builtins(error)}
        outcome = self._sequence(catch.steps, f"{path}~catch.", seen)
        if isinstance(outcome, Done):
            self._take(Ended(path=path, attempt=record.attempt, result=outcome.result))
        return outcome

    def _take(self, entry: Entry) -> None:
        self._records.take(entry, self._now)
        self._entries.append(entry)


def _again(step: Step, record: Record) -> bool:
    """Whether a step whose attempt failed is tried once more."""
    retry, error = step.retry, record.error
    if retry is None or error is None or record.attempt >= retry.attempts:
        return False
    return error.code in retry.on if retry.on else error.code not in FINAL


def next_attempt_unix_ms(step: Step, record: Record) -> int:
    """Return when a step whose attempt failed is tried once more; 0 for never, and before the first."""
    if record.is_open or not _again(step, record) or step.retry is None:
        return 0
    most_s, first_s = parse_duration(step.retry.max_wait), parse_duration(step.retry.wait)
    wait_s = min(most_s, first_s * 2.0 ** min(record.attempt - 1, 40))
    return record.ended_unix_ms + round(wait_s * 1000)
