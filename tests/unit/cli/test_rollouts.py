"""Canaries, rollback, promotion, revisions: what is sent, what is waited for, what is said."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dayfly.model.function import FunctionSpec
from dayfly.model.rollout import Canary, Outcome, RolloutStatus
from dayfly.model.status import ReplicaStatus, RevisionStatus

Run = Callable[..., Any]
ENDED = 1_700_000_000_000


def rollout(state: Any, **fields: Any) -> RolloutStatus:
    return RolloutStatus(revision=5, serving=4, state=state, **fields)


def outcome(verdict: Any, reason: str = "errors 12.5% against 0%", revision: int = 5) -> Outcome:
    return Outcome(revision=revision, verdict=verdict, reason=reason, ended_unix_ms=ENDED)


def replicas(*phases: str) -> tuple[ReplicaStatus, ...]:
    mine = [ReplicaStatus(id=f"r{at}", phase=phase, revision=5, started_unix_ms=0) for at, phase in enumerate(phases)]
    return (ReplicaStatus(id="old", phase="ready", revision=4, started_unix_ms=0), *mine)


@pytest.fixture
def folder(home: Path, platform: Any) -> Path:
    """A function's code, and its revision 4 that serves."""
    (home / "hello").mkdir()
    (home / "hello" / "handler.py").write_text("def handle(event, context): return ''\n")
    platform.add("hello", revision=4)
    return home / "hello"


def deploy(dayfly: Run, *options: str) -> Any:
    return dayfly("deploy", "hello", "--handler", "hello", *options)


def query(platform: Any) -> dict[str, str]:
    (put,) = (one for one in platform.requests if one.method == "PUT" and "/functions/" in one.url.path)
    return dict(put.url.params)


@pytest.mark.usefixtures("folder")
def test_a_deployment_is_done_when_its_revision_has_taken_over(dayfly: Run, platform: Any) -> None:
    platform.looks = [
        {"revision": 5, "state": "building", "rollout": rollout("building")},
        {"state": "starting", "rollout": rollout("starting")},
        {"state": "ready", "rollout": rollout("shifting"), "replicas": replicas("ready", "starting")},
        {"rollout": None, "outcome": outcome("promoted", "")},
    ]
    done = deploy(dayfly)
    assert done.exit_code == 0, done.stderr
    assert "Deployed. 200 OK." in done.stdout
    assert not platform.looks
    assert query(platform) == {}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("fault", "code", "says"), [("import_failed", 1, "logged"), ("prepare_failed", 65, "pip said")]
)
def test_a_revision_that_does_not_come_up_is_told_in_one_line_and_the_other_goes_on(
    dayfly: Run, platform: Any, fault: Any, code: int, says: str
) -> None:
    platform.log, platform.build_log = ["logged"], "pip said"
    failing = rollout("failing", reason="it went wrong", fault=fault)
    platform.looks = [
        {"revision": 5, "state": "starting", "rollout": rollout("starting")},
        {"state": "failing", "rollout": failing},
    ]
    done = deploy(dayfly)
    assert done.exit_code == code
    lines = done.stderr.splitlines()
    assert lines[0] == "Error: Revision 5 of hello is failing: it went wrong"
    assert lines[1] == "Revision 4 goes on. `dayfly rollback hello` ends the attempt; see `dayfly logs hello`."
    assert says in lines[2]


@pytest.mark.usefixtures("folder")
def test_a_revision_that_is_returned_while_waited_for_is_an_error(dayfly: Run, platform: Any) -> None:
    platform.looks = [
        {"revision": 5, "state": "starting", "rollout": rollout("starting")},
        {"revision": 4, "state": "ready", "rollout": None, "outcome": outcome("returned", "by hand")},
    ]
    done = deploy(dayfly)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[0] == "Error: Revision 5 of hello was returned: by hand"
    assert "Revision 4 goes on" in done.stderr


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("verdict", ["replaced", "promoted"])
def test_a_revision_that_was_deployed_over_is_left_to_the_other_command(
    dayfly: Run, platform: Any, verdict: str
) -> None:
    platform.looks = [
        {"revision": 5, "state": "starting", "rollout": rollout("starting")},
        {"revision": 6, "outcome": outcome(verdict)},
    ]
    assert deploy(dayfly).exit_code == 0


@pytest.mark.usefixtures("folder")
def test_a_canary_is_sent_waited_for_and_told(dayfly: Run, platform: Any) -> None:
    canary = Canary(weight=10, window="30s", errors=0, p95=0, calls=7, promote=False)
    platform.looks = [
        {"revision": 5, "state": "starting", "rollout": rollout("starting", canary=canary)},
        {"state": "ready", "rollout": rollout("canary", canary=canary)},
    ]
    done = deploy(
        dayfly, "--canary", "10", "--canary-window", "30s", "--canary-errors", "0", "--canary-p95", "0",
        "--canary-calls", "7", "--canary-no-promote",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert query(platform) == {
        "canary": "10",
        "canary_window": "30s",
        "canary_errors": "0.0",
        "canary_p95": "0.0",
        "canary_calls": "7",
        "canary_promote": "false",
    }
    tail = "canary, 10% of the calls until `dayfly promote` or `dayfly rollback`"
    assert f"Canary: revision 5 is to take over from 4: {tail}\n" in done.stdout


@pytest.mark.usefixtures("folder")
def test_a_canary_with_nothing_to_compare_it_with_says_so(dayfly: Run, platform: Any) -> None:
    platform.looks = [{"revision": 1, "state": "ready", "outcome": outcome("promoted", "nothing to compare", 1)}]
    done = deploy(dayfly, "--canary", "10", "--no-wait")
    assert "Canary: revision 1 was promoted 2023-11-14T22:13:20Z: nothing to compare\n" in done.stdout


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", [("deploy", "hello", "--handler", "hello"), ("rollback", "hello")])
@pytest.mark.parametrize(
    ("options", "tells"),
    [
        (("--canary", "0"), "canary: 0 must be between 1 and 99"),
        (("--canary", "100"), "canary: 100"),
        (("--canary", "10", "--canary-window", "soon"), "soon"),
        (("--canary", "10", "--canary-errors", "-1"), "canary errors: -1"),
        (("--canary", "10", "--canary-p95", "0.9"), "canary p95: 0.9"),
        (("--canary", "10", "--canary-calls", "0"), "canary calls: 0"),
        (("--canary-calls", "0"), "--canary-calls is about a canary"),
        (("--canary-no-promote",), "--canary-no-promote is about a canary"),
    ],
)
def test_a_canary_that_cannot_work_is_refused_before_anything_is_sent(
    dayfly: Run, platform: Any, command: tuple[str, ...], options: tuple[str, ...], tells: str
) -> None:
    done = dayfly(*command, *options)
    assert done.exit_code == 64
    assert tells in done.stderr
    assert platform.requests == []


def test_revisions_are_listed_newest_first(dayfly: Run, platform: Any) -> None:
    platform.add("hello")
    now_ms = int(time.time() * 1000)
    spec = FunctionSpec(name="hello", bundle="sha256:" + "ab" * 32)
    ages = {1: 3 * 86_400_000 + 5, 2: 2 * 3_600_000 + 5, 3: -60_000}
    roles: dict[int, Any] = {1: "kept", 2: "serving", 3: "candidate"}
    platform.history = [
        RevisionStatus(number=number, spec=spec, role=roles[number], created_unix_ms=now_ms - ages[number])
        for number in (1, 2, 3)
    ]
    head, *rows = [line.split("\t") for line in dayfly("revisions", "hello").stdout.splitlines()]
    assert [field.strip() for field in head] == ["Revision", "Role", "Age", "Image", "Bundle"]
    assert [[field.strip() for field in row] for row in rows] == [
        ["3", "candidate", "0s", "<none>", "sha256:abababababab"],
        ["2", "serving", "2h", "<none>", "sha256:abababababab"],
        ["1", "kept", "3d", "<none>", "sha256:abababababab"],
    ]
    assert dayfly("revisions", "hello", "-o", "name").stdout == "3\n2\n1\n"
    assert json.loads(dayfly("revisions", "hello", "-o", "json").stdout)[0]["role"] == "candidate"
    assert dayfly("revisions", "gone").exit_code == 66


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ((), {}),
        (("--to", "3"), {"revision": 3}),
        (("--to", "3", "--canary", "10"), {"revision": 3, "canary": {"weight": 10}}),
    ],
)
def test_rollback_sends_what_is_wanted_and_waits(
    dayfly: Run, platform: Any, options: tuple[str, ...], sent: dict[str, Any]
) -> None:
    under_way = RolloutStatus(revision=3, serving=4, state="shifting")
    platform.add("hello", revision=3, rollout=under_way, replicas=())
    platform.looks = [{"rollout": None, "outcome": outcome("promoted", "", 3)}]
    done = dayfly("rollback", "hello", *options)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "Revision 3 of hello serves.\n"
    post = platform.requests[0]
    assert (post.method, post.url.path) == ("POST", "/v1/namespaces/openfaas-fn/functions/hello/rollback")
    assert json.loads(post.content) == sent


def test_rollback_and_promote_need_not_wait(dayfly: Run, platform: Any) -> None:
    under_way = RolloutStatus(revision=3, serving=4, state="starting")
    platform.add("hello", revision=3, rollout=under_way)
    for command in ("rollback", "promote"):
        platform.requests.clear()
        assert dayfly(command, "hello", "--no-wait").stdout == ("hello: revision 3 is to take over from 4: starting.\n")
        assert [request.method for request in platform.requests] == ["POST"]


def test_promote_waits_until_it_has_taken_over(dayfly: Run, platform: Any) -> None:
    platform.add("hello", revision=5, rollout=rollout("shifting"), replicas=replicas("ready"))
    platform.looks = [{}, {"rollout": None}]
    assert dayfly("promote", "hello").stdout == "Revision 5 of hello serves.\n"
    assert not platform.looks


@pytest.mark.parametrize("options", [("--to", "0"), ("--to", "-1")])
def test_a_revision_that_cannot_be_is_refused_before_anything_is_sent(
    dayfly: Run, platform: Any, options: tuple[str, ...]
) -> None:
    done = dayfly("rollback", "hello", *options)
    assert done.exit_code == 64
    assert "revision" in done.stderr
    assert platform.requests == []


def test_describe_tells_of_the_rollout_and_of_the_last_one(dayfly: Run, platform: Any) -> None:
    under_way = rollout("canary", canary=Canary(weight=10), ends_unix_ms=ENDED, reason="40 more calls are needed")
    platform.add("hello", revision=5, outcome=outcome("returned", revision=3), rollout=under_way)
    text = dayfly("describe", "hello").stdout
    lines = [line.strip() for line in text.splitlines()]
    at = next(at for at, line in enumerate(lines) if line.startswith("Rollout:"))
    assert lines[at].removeprefix("Rollout:").strip() == (
        "revision 5 is to take over from 4: canary, 10% of the calls until 2023-11-14T22:13:20Z"
    )
    assert lines[at + 1] == "40 more calls are needed"
    assert "revision 3 was returned 2023-11-14T22:13:20Z: errors 12.5% against 0%" in text


def test_describe_of_a_revision_that_fails_says_why_once_and_that_the_other_serves(dayfly: Run, platform: Any) -> None:
    failing = rollout("failing", reason="it went wrong")
    platform.add("hello", revision=5, state="failing", reason="it went wrong", ready_replicas=1, rollout=failing)
    text = dayfly("describe", "hello").stdout
    assert text.count("it went wrong") == 1
    assert next(line for line in text.splitlines() if line.startswith("Status:")).endswith(" Ready")


def test_describe_without_a_rollout_says_none(dayfly: Run, platform: Any) -> None:
    platform.add("hello")
    text = dayfly("describe", "hello", "-v").stdout
    assert [line.split()[-1] for line in text.splitlines() if "Rollout:" in line] == ["<none>", "<none>"]
    assert "<none>" not in dayfly("describe", "hello").stdout
