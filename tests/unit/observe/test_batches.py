"""Records on their way from a gateway to the file: whoever is killed in between, each call is recorded once."""

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.observe.test_records import NOW_MS, note

from dayfly.gateway import records as module
from dayfly.gateway.records import Records
from dayfly.model.invocation import Note, RecordLimits, invocation_of
from dayfly.model.table import Load
from dayfly.observe.record_file import RecordFile

SOURCE = ("gw0", "boot")
_NOTES = msgspec.msgpack.Decoder(list[Note])


class Handing(RuleBasedStateMachine):
    """A gateway that goes on, and control planes that are killed at any moment; the file is all that outlives them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.gateway = Records(1000)
        self.called = 0
        self.sent: list[Load] = []
        self.read: list[Load] = []
        self.told: list[int] = []
        self.file = self.opened()
        self.gateway.begin(confirms=True)

    def opened(self) -> RecordFile:
        file = RecordFile(Path(self.folder.name) / "calls.db", RecordLimits())
        file.open()
        return file

    @rule(count=st.integers(1, 5))
    def calls(self, count: int) -> None:
        for _ in range(count):
            self.called += 1
            self.gateway.notes.append(note(f"c{self.called}"))

    @rule()
    def hands_over(self) -> None:
        self.sent += iter(self.gateway.take, None)

    @precondition(lambda self: self.sent)
    @rule()
    def reads(self) -> None:
        self.read.append(self.sent.pop(0))

    @precondition(lambda self: self.sent)
    @rule(tells=st.booleans())
    def reads_and_writes(self, tells: bool) -> None:
        self.reads()
        self.writes(tells)

    @precondition(lambda self: self.read)
    @rule(tells=st.booleans())
    def writes(self, tells: bool) -> None:
        calls = [
            invocation_of(each)
            for load in self.read
            if not self.file.batches.has(SOURCE, load.batch)
            for each in _NOTES.decode(load.records)
        ]
        last = self.read[-1].batch
        assert self.file.append(calls, written={SOURCE: last}, now_unix_ms=NOW_MS) is None
        self.read.clear()
        if tells:
            self.told.append(last)

    @precondition(lambda self: self.told)
    @rule()
    def hears(self) -> None:
        self.gateway.confirmed(self.told.pop(0))

    @rule()
    def is_killed(self) -> None:
        self.sent, self.read, self.told = [], [], []
        self.gateway.end()
        self.file.close()
        self.file = self.opened()
        self.gateway.begin(confirms=True)

    @invariant()
    def nothing_is_recorded_twice(self) -> None:
        recorded = self.recorded()
        assert recorded == [f"c{number + 1}" for number in range(len(recorded))]

    def recorded(self) -> list[str]:
        return [call_id for (call_id,) in self.file.read("SELECT id FROM calls ORDER BY number")]

    def teardown(self) -> None:
        self.is_killed()
        while self.gateway.notes or len(self.recorded()) < self.called:
            self.hands_over()
            assert self.sent, "a call that nobody hands over any more"
            while self.sent:
                self.reads()
            self.writes(True)
            self.hears()
        assert len(self.recorded()) == self.called
        self.file.close()
        self.folder.cleanup()


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SENT", 3)
    monkeypatch.setattr(module, "MAX_UNCONFIRMED", 2)


TestHanding = Handing.TestCase
