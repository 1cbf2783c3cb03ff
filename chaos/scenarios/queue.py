"""SIGKILL at random while calls are queued: whatever dies, every call that was answered with 202 is made.

Calls of a function are queued all the time, half of them with an idempotency key and sent four times; beside them are
callers with a key who wait for their answer and ask until they have it. The queue, nats-server, a gateway, the control
plane, a replica, the zygote or everything is killed meanwhile. In the end each accepted call must have a result that
only the function can have made, no key may stand for two calls, no call may have run more often than attempts were
recorded, and none of those that were waited for more than once.
"""

import http.client
import itertools
import threading
import time
from collections import Counter

import msgspec

from chaos.box import Box
from chaos.judgement import judge
from chaos.keyed import Keyed
from chaos.nemesis import Nemesis, rounds
from chaos.outcome import Outcome, Promise
from chaos.processes import eventually
from chaos.stage import Stage
from dayfly.model.errors import DayflyError
from dayfly.model.queued import CallStatus

SECONDS = 180.0
SHORT_SECONDS = 0.0
_KINDS = ("queue", "nats", "gateway", "control", "replica", "zygote", "everything")
_RATE_PER_S, _KEYED_PER_S = 50.0, 10.0
_SENT = 4
"""How often a call with a key is sent."""
_LEAST_ACCEPTED = 5_000
_EMPTY_S = 180.0
_RETRY = {"com.openfaas.retry.attempts": "50", "com.openfaas.retry.max_wait": "2s"}


class Accepted(msgspec.Struct, frozen=True):
    """A call that was answered with 202."""

    tag: str
    """Its body."""
    call_id: str


class Submitter:
    """Queues calls at a steady rate, from a few threads; remembers those that were accepted, and how others ended."""

    def __init__(self, box: Box, threads: int = 8) -> None:
        self.accepted: list[Accepted] = []
        self.refused: Counter[str] = Counter()
        self._box = box
        self._numbers = itertools.count()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(threads / _RATE_PER_S,)) for _ in range(threads)]

    def __enter__(self) -> "Submitter":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _run(self, pause_s: float) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            tag = f"tag-{next(self._numbers)}"
            headers = {"Idempotency-Key": tag} if int(tag[4:]) % 2 else {}
            for _ in range(_SENT if headers else 1):
                self._submit(tag, headers)
            self._ended.wait(max(0.0, pause_s - (time.monotonic() - began)))

    def _submit(self, tag: str, headers: dict[str, str]) -> None:
        connection = http.client.HTTPConnection(*self._box.address, timeout=30)
        try:
            connection.request("POST", "/async-function/sink", tag.encode(), headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 202:
                self.accepted.append(Accepted(tag, answer.headers["X-Call-Id"]))
            else:
                self.refused[str(answer.status)] += 1
        except (OSError, http.client.HTTPException) as cut:
            self.refused[type(cut).__name__] += 1
        finally:
            connection.close()


def run(stage: Stage) -> Outcome:
    """Strike until the time is over, every kind at least once, then wait until the queue is empty and look."""
    box = stage.box(gateways=2)
    box.deploy("sink", "sink", replicas=2, annotations=_RETRY)
    nemesis = Nemesis(box, stage.random, {"sink": 2})
    following = rounds(stage.random, _KINDS)
    with Submitter(box) as submitter, Keyed(box, "/function/sink", _KEYED_PER_S) as keyed:
        until_s = time.monotonic() + stage.seconds
        while time.monotonic() < until_s or len(nemesis.strikes) < len(_KINDS):
            time.sleep(stage.random.uniform(1.0, 2.0))
            strike = nemesis.strike(following())
            stage.say(f"{strike.kind} killed, missed for {strike.missed_s:.2f} s; {len(submitter.accepted)} accepted")
    accepted, began = submitter.accepted, time.monotonic()
    empty = eventually(lambda: _is_empty(box), _EMPTY_S, 0.5)
    emptied_s = time.monotonic() - began
    found = {each.call_id: _status(box, each.call_id) for each in accepted}
    lost = [each for each in accepted if not _is_made(found[each.call_id], each.tag)]
    for each in lost[:8]:
        stage.say(f"lost: {each} {found[each.call_id]}")
    by_tag: dict[str, set[str]] = {}
    for each in accepted:
        by_tag.setdefault(each.tag, set()).add(each.call_id)
    twice = [tag for tag, ids in by_tag.items() if len(ids) > 1]
    ran = _runs(box)
    attempts = _attempts(accepted, found)
    more = [f"{tag}: {ran[tag]} of {most}" for tag, most in attempts.items() if ran[tag] > most]
    again = [f"{key}: {ran[key]}" for key in keyed.answers if ran[key] > 1]
    differ = [f"{key}: {sorted(told)}" for key, told in keyed.answers.items() if len(told) > 1]
    wrong = sorted(set(submitter.refused) & {"200", "400", "404", "413", "422", "429", "500"})
    promises = [
        Promise("every accepted call was made", not lost, f"{len(lost)} of {len(found)}: {lost[:3]}"),
        Promise("one key is one call", not twice, ", ".join(twice[:8])),
        Promise("no queued call ran more often than was recorded", not more, ", ".join(more[:8])),
        Promise("no call with a key that was waited for ran twice", not again, ", ".join(again[:8])),
        Promise("one key has one answer", not differ, ", ".join(differ[:4])),
        Promise("the queue is empty in the end", empty, f"not after {_EMPTY_S:g} s"),
        Promise("callers see 202, 503 or a connection that breaks", not wrong, str(dict(submitter.refused))),
    ]
    if not stage.short:
        promises.append(
            Promise(f"{_LEAST_ACCEPTED} calls were accepted", len(found) >= _LEAST_ACCEPTED, f"{len(found)}")
        )
    further = sum(status.attempts - 1 for status in found.values() if status is not None)
    kinds = Counter(strike.kind for strike in nemesis.strikes)
    figures = {
        "calls accepted, and refused or cut off": f"{len(found)}, {dict(submitter.refused)}",
        "accepted calls lost": f"{len(lost)}",
        "attempts beyond each call's first": f"{further}",
        "calls with a key that were waited for, by answer": f"{dict(_kinds_of(keyed))}",
        "kills": ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())),
        "from the last call to an empty queue": f"{emptied_s:.1f} s",
    }
    return judge(stage, box, [], figures=figures, promises=promises)


def _runs(box: Box) -> Counter[str]:
    """Return how often the function printed that it ran, by body; a killed replica's last lines may be missing."""
    rows = box.query("SELECT text FROM lines WHERE text LIKE 'ran %'", file="records/logs.db")
    return Counter(str(text).partition(" ")[2] for (text,) in rows)


def _attempts(accepted: list[Accepted], found: dict[str, CallStatus | None]) -> dict[str, int]:
    """Return how many attempts were recorded of the calls that were made, by body."""
    calls = {each.call_id: each.tag for each in accepted}
    made: Counter[str] = Counter()
    for call_id, tag in calls.items():
        status = found[call_id]
        made[tag] += status.attempts if status is not None else 0
    return made


def _kinds_of(keyed: Keyed) -> Counter[str]:
    return Counter(told.partition(" keyed-")[0] for answers in keyed.answers.values() for told in answers)


def _is_made(status: CallStatus | None, tag: str) -> bool:
    return status is not None and (status.state, status.body) == ("done", tag.encode())


def _is_empty(box: Box) -> bool:
    try:
        return not box.client.list_calls(limit=1)
    except DayflyError:
        return False


def _status(box: Box, call_id: str) -> CallStatus | None:
    try:
        return box.client.get_call(call_id)
    except DayflyError:
        return None
