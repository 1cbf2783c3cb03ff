"""Why a container is gone: the engine's figures and ours, as a reason."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.trouble import SENTENCES
from dayfly.providers.docker.endings import Circumstances, State, ended


def state(exit_code: int = 0, **fields: object) -> State:
    return msgspec.convert({"Status": "exited", "ExitCode": exit_code, **fields}, State)


@pytest.mark.parametrize(
    ("found", "about", "reason", "told"),
    [
        (state(0), Circumstances(ready=True, stopping=True), "stopped", "exit code 0"),
        (state(143), Circumstances(ready=True, stopping=True), "stopped", "SIGTERM"),
        (state(137), Circumstances(ready=True, stopping=True, killed=True), "killed", "had not finished in time"),
        (state(137), Circumstances(stopping=True), "stopped", "SIGKILL"),
        (state(3), Circumstances(ready=True), "crashed", "exit code 3"),
        (state(0), Circumstances(ready=True), "crashed", "exit code 0"),
        (state(134), Circumstances(ready=True), "crashed", "SIGABRT"),
        (state(137), Circumstances(ready=True), "killed", "SIGKILL"),
        (state(1), Circumstances(note="it ran as 20000"), "crashed", "before it served. it ran as 20000"),
        (state(137, OOMKilled=True), Circumstances(ready=True, memory_bytes=64 << 20), "oom", "64 MiB"),
        (state(1, OOMKilled=True), Circumstances(ready=True, memory_bytes=64 << 20), "oom", "64 MiB"),
        (state(0, OOMKilled=True), Circumstances(ready=True, stopping=True), "stopped", "exit code 0"),
        (state(255), Circumstances(ready=True, away=True), "lost", "engine was away"),
        (state(127, Error="no such file"), Circumstances(), "crashed", "no such file"),
        (state(127, Error="no such file"), Circumstances(ready=True), "crashed", "exit code 127"),
        (None, Circumstances(ready=True), "lost", "removed"),
    ],
)
def test_an_end_has_its_reason(found: State | None, about: Circumstances, reason: str, told: str) -> None:
    word, sentence = ended(found, about)
    assert (word, told in sentence) == (reason, True), sentence


@given(
    st.builds(
        state, st.integers(-1, 300), OOMKilled=st.booleans(), Error=st.sampled_from(["", "odd"])
    ) | st.none(),
    st.builds(Circumstances, stopping=st.booleans(), killed=st.booleans(), away=st.booleans(), ready=st.booleans()),
)  # fmt: skip
def test_every_end_has_one(found: State | None, about: Circumstances) -> None:
    reason, sentence = ended(found, about)
    assert reason in SENTENCES
    assert sentence


@pytest.mark.parametrize(("status", "over"), [("running", False), ("created", False), ("exited", True), ("dead", True)])
def test_a_state_says_whether_it_is_over(status: str, over: bool) -> None:
    assert msgspec.convert({"Status": status}, State).is_over == over
