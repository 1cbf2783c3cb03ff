"""A step whose function says what comes next: what its turns have asked for so far, and what came of it.

    turn 1 ──► call, call      wanted 1, 2        each is a place in the run as any other step
    turn 2 ──► delay           wanted 3           begun with what has come since turn 1: [2]
    turn 3 ──► done                               begun with [1, 3]

A turn is a call of the function with all that is known; nothing of the code's own is kept between them. What a turn was
begun with is in the log, so that it can be told again, word for word, whatever dies meanwhile. Only what came anew is
written there: a flow of a thousand steps does not write down its history a thousand times.
"""

from collections.abc import Iterator

import msgspec

from dayfly.decide.flow_kinds import Done, failure
from dayfly.decide.flow_records import Record, Records
from dayfly.model.errors import InvalidName, InvalidSpec
from dayfly.model.flow_data import MAX_DATA_BYTES
from dayfly.model.flow_rules import check_steps, is_code
from dayfly.model.flow_run import FlowError, FlowRun
from dayfly.model.flow_step import Step
from dayfly.model.flow_turn import VERSION, Answer, Came, Failure, Turn, Wanted

MAX_MESSAGE = 2000
MAX_WANTED = 2000
"""What one code may ask for in all its turns."""


class Told:
    """What the turns so far have come to, of a code that is not through."""

    def __init__(self, records: Records, inside: str) -> None:
        self.turns = 0
        """Turns that are over."""
        self.turn_is_open = False
        self._records = records
        self._inside = inside
        self._wanted: list[tuple[Wanted, Step, str]] = []
        self._came: list[int] = []
        self._seen = -1

    @classmethod
    def of(cls, records: Records, inside: str) -> "Told | Done | FlowError":
        """Read the turns from the records; return what the code came to when it is through."""
        told = cls(records, inside)
        while True:
            turn = records.of(told.turn_path)
            if not turn.attempt:
                return told
            told._seen = len(told._came) if told.turns else -1
            told._came += turn.input
            if not turn.ended_unix_ms:
                told.turn_is_open = True
                return told
            end = turn.error if turn.error is not None else told._take(turn)
            if end is not None:
                return end
            told.turns += 1

    @property
    def turn_path(self) -> str:
        """The place of the turn that is under way, or next."""
        return f"{self._inside}.turn-{self.turns + 1}"

    def open(self) -> Iterator[tuple[int, tuple[Step, str]]]:
        """Yield what was asked for and no turn knows the result of: its number, the step that it is, and its place."""
        come = set(self._came)
        for number, (_, step, path) in enumerate(self._wanted, 1):
            if number not in come:
                yield number, (step, path)

    def body(self, number: int) -> object:
        """Return what the code gave along."""
        return self._wanted[number - 1][0].body

    def turn(self, run: FlowRun, record: Record) -> object:
        """Return what the function is told in the turn that is under way."""
        turn = Turn(
            version=VERSION, run=run.id, started_unix_ms=record.first_unix_ms, input=record.input,
            wanted=tuple(wanted for wanted, _, _ in self._wanted), came=tuple(map(self._came_of, self._came)),
            seen=self._seen,
        )  # fmt: skip
        return msgspec.to_builtins(turn)

    def _came_of(self, number: int) -> Came:
        record = self._records.of(self._wanted[number - 1][2])
        error = record.error
        if record.settled or error is None:
            return Came(number=number, at_unix_ms=record.ended_unix_ms, result=record.result)
        told = Failure(code=error.code, message=error.message, status=error.status, body=error.body)
        return Came(number=number, at_unix_ms=record.ended_unix_ms, error=told)

    def _take(self, turn: Record) -> Done | FlowError | None:
        """Take what a turn answered."""
        try:
            answer = msgspec.convert(turn.result, Answer)
        except msgspec.ValidationError as error:
            text = f"The function does not answer as a flow's code does ({error}): it is `async def flow(ctx, input)`."
            return failure("bad_answer", text, self.turn_path)
        if answer.state == "done":
            return Done(answer.result)
        if answer.state == "failed":
            return self._failed(answer.error or Failure(code="failed", message="The code says so."))
        for wanted in answer.wanted:
            number = len(self._wanted) + 1
            if number > MAX_WANTED:
                return failure("limit", f"The code asks for more than {MAX_WANTED} things.", self.turn_path)
            step = wanted.step(number)
            try:
                check_steps((step,))
            except (InvalidName, InvalidSpec) as error:
                return failure("bad_answer", f"The code asks for what cannot be: {error}", self.turn_path)
            self._wanted.append((wanted, step, f"{self._inside}.{step.name}"))
        return None

    def _failed(self, why: Failure) -> FlowError:
        code = why.code if is_code(why.code) else "failed"
        return FlowError(
            code=code, message=why.message[:MAX_MESSAGE], step=self.turn_path, status=why.status, body=why.body
        )


def is_too_large(body: object) -> bool:
    """Whether a turn would be more than a flow may send a function."""
    return len(msgspec.json.encode(body)) > MAX_DATA_BYTES
