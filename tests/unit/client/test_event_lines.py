"""Events are read out of a stream whatever its pieces are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.client import event_lines
from dayfly.client.event_lines import EventLines
from dayfly.model.errors import InternalError

STREAM = 'id: 1\nevent: a\ndata: ["ü\\n"]\n\n: alive\n\ndata: []\n\ndatax\n\ndata: ["last"]\n'.encode()


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_pieces_are_put_together(cuts: list[int]) -> None:
    events = EventLines(list[str])
    at, found = 0, list[list[str]]()
    for cut in [*sorted(cuts), len(STREAM)]:
        found += events.feed(STREAM[at:cut])
        at = cut
    assert found == [["ü\n"], [], ["last"]]


def test_what_is_no_event_is_told() -> None:
    with pytest.raises(InternalError, match="cannot be read"):
        list(EventLines(list[str]).feed(b"data: {}\n"))
    with pytest.raises(InternalError, match="cannot be read"):
        list(EventLines(list[str]).feed(b'data: ["\xff"]\n'))


def test_an_event_without_an_end_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_lines, "_MAX_LINE", 10)
    events = EventLines(list[str])
    assert list(events.feed(b"data: [1")) == []
    with pytest.raises(InternalError, match="never sends"):
        list(events.feed(b"234"))
    with pytest.raises(InternalError, match="never sends"):
        list(EventLines(list[str]).feed(b"x" * 11))
