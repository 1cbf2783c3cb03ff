"""The judge: believes the ledgers, the disk and the kernel, and not a word of the platform that it can check.

Each function returns what is wrong, sentence by sentence; none means that all is well. Nothing here waits or changes
anything, so that it can be tested with doctored ledgers.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from chaos import processes
from chaos.box import Box
from chaos.ledger import Acknowledged, Asked, Call, Refused, read


class Wanted(msgspec.Struct, frozen=True):
    """What a function may look like after the changes in a ledger; None for not being there."""

    version: str | None
    revision: int = 0
    replicas: int | None = None


class Excuse(msgspec.Struct, frozen=True, kw_only=True):
    """Why calls may fail: something was killed. Calls count that were under way between the two times."""

    why: str
    from_s: float
    until_s: float
    """A call sent after this had to be answered."""
    reasons: tuple[str, ...]
    """What may become of a call; a trailing `*` stands for anything."""
    functions: tuple[str, ...] = ()
    """Whose calls; empty for all."""

    def covers(self, call: Call) -> bool:
        """Whether this is an excuse for the call's failure."""
        meant = not self.functions or call.function in self.functions
        matches = any(
            call.reason.startswith(reason[:-1]) if reason.endswith("*") else call.reason == reason
            for reason in self.reasons
        )
        return meant and matches and call.sent_s <= self.until_s and call.ended_s >= self.from_s


def unexcused(calls: Iterable[Call], excuses: Sequence[Excuse]) -> list[Call]:
    """Return the calls that failed although nothing excuses it."""
    return [call for call in calls if not call.ok and not any(excuse.covers(call) for excuse in excuses)]


def told(calls: Iterable[Call], began_s: float = 0.0) -> list[str]:
    """Return each call in a sentence."""
    return [
        f"{call.id} of {call.function}, sent at {call.sent_s - began_s:.3f}, ended {call.ended_s - began_s:.3f}"
        f" on {'a new' if call.fresh else 'a kept'} connection: {call.reason} {call.detail}".rstrip()
        for call in calls
    ]


def worked_twice(worked: Mapping[str, int]) -> list[str]:
    """Return the ids of calls that functions worked on more than once."""
    return sorted(ident for ident, times in worked.items() if times > 1)


def work_done(box: Box) -> Counter[str]:
    """Return how often functions say, in their logs, that they worked on each call."""
    rows = box.query("SELECT text FROM lines WHERE text LIKE 'worked %'", file="records/logs.db")
    return Counter(text.split()[1] for (text,) in rows)


def versions_fell(calls: Iterable[Call]) -> list[str]:
    """Return where a connection saw an older revision after a newer one, of calls that followed one another."""
    newest: dict[tuple[str, int, str], int] = {}
    wrong = []
    for call in calls:
        if call.ok and call.revision:
            key = (call.id.rpartition("-")[0], call.connection, call.function)
            if call.revision < newest.get(key, 0):
                wrong.append(f"{call.id}: revision {call.revision} after {newest[key]} on connection {call.connection}")
            newest[key] = max(newest.get(key, 0), call.revision)
    return wrong


# -- state ----------------------------------------------------------------------------------------------------------


def possible_states(ledger: Path) -> dict[str, list[Wanted]]:
    """Return, for each function in the ledger of changes, every state that the acknowledgements leave possible.

    The first is the one after the last acknowledged change; each further one is what a change that was asked for later
    and never answered would have made of one before it.
    """
    answers: dict[int, Acknowledged | Refused] = {}
    asked: list[Asked] = []
    for entry in read(ledger):
        if isinstance(entry, Asked):
            asked.append(entry)
        elif isinstance(entry, Acknowledged | Refused):
            answers[entry.id] = entry
    states: dict[str, list[Wanted]] = {}
    for change in asked:
        before = states.setdefault(change.function, [Wanted(None)])
        answer = answers.get(change.id)
        if isinstance(answer, Acknowledged):
            states[change.function] = _after(change, before, answer.revision)
        elif answer is None or not answer.certain:
            states[change.function] = before + [each for each in _after(change, before, 0) if each not in before]
    return states


def _after(change: Asked, before: Sequence[Wanted], revision: int) -> list[Wanted]:
    if change.verb == "deploy":
        return [Wanted(change.value, revision)]
    if change.verb == "remove":
        return [Wanted(None)]
    found = [msgspec.structs.replace(each, replicas=int(change.value)) for each in before if each.version is not None]
    return list(dict.fromkeys(found))


def state_in_file(box: Box) -> dict[str, Wanted]:
    """Return what a fresh look into the state file says of each function."""
    rows = box.query(
        "SELECT f.name, f.revision, f.replicas, r.spec FROM functions f"
        " JOIN revisions r ON (r.namespace, r.name, r.number) = (f.namespace, f.name, f.revision)"
    )
    return {name: Wanted(_version(spec), revision, replicas) for name, revision, replicas, spec in rows}


def state_in_api(box: Box) -> dict[str, Wanted]:
    """Return what the API says of each function; it does not tell a number of replicas that was set by hand."""
    found = box.client.list_functions()
    return {each.spec.name: Wanted(each.spec.env.get("VERSION", ""), each.revision) for each in found}


def state_lost(states: Mapping[str, Sequence[Wanted]], found: Mapping[str, Wanted], *, replicas: bool) -> list[str]:
    """Return the functions that are not in any state which the acknowledgements allow.

    `replicas` says whether the number of replicas was looked at too. A revision that was not told (0) is not compared.
    """
    wrong = []
    for name, possible in states.items():
        real = found.get(name, Wanted(None))
        if not any(_same(wanted, real, replicas=replicas) for wanted in possible):
            wrong.append(f"{name} is {real}, and can only be {' or '.join(map(str, possible))}")
    return wrong


def _same(wanted: Wanted, real: Wanted, *, replicas: bool) -> bool:
    if wanted.version is None or real.version is None:
        return wanted.version == real.version
    revisions = not wanted.revision or wanted.revision == real.revision
    return wanted.version == real.version and revisions and (not replicas or wanted.replicas == real.replicas)


def _version(spec: str) -> str:
    env: dict[str, str] = msgspec.json.decode(spec).get("env", {})
    return env.get("VERSION", "")


# -- what is left ---------------------------------------------------------------------------------------------------


def strays(box: Box) -> list[str]:
    """Return what of a platform that runs belongs to nobody: processes beside its tree, sockets without a replica."""
    supervisor = box.supervisor
    below = processes.descendants(supervisor) if supervisor else {}
    wrong = [
        f"process {pid} is not below the supervisor: {command}"
        for pid, command in box.everything().items()
        if pid != supervisor and pid not in below and processes.alive(pid)
    ]
    replicas = {each.id for function in box.client.list_functions() for each in function.replicas}
    sockets = {path.name.removesuffix(".sock") for path in (box.run_dir / "r").glob("*.sock")}
    holders = processes.listeners_below(box.run_dir / "r", below)
    for each in sorted(sockets - replicas):
        pid = holders.get(str(box.run_dir / "r" / f"{each}.sock"), 0)
        wrong.append(f"the socket of {each} has no replica" + (f"; process {pid} listens" if pid else ""))
    return wrong


def remains(box: Box) -> list[str]:
    """Return what a platform that was stopped has left: processes, sockets, cgroups, mounts, files of its run."""
    wrong = [f"process {pid}: {command}" for pid, command in box.everything().items()]
    wrong += [f"unix socket {path}" for path in sorted(processes.unix_sockets_below(box.run_dir))]
    wrong += [f"cgroup {path}" for path in sorted(box.cgroups) if path.is_dir()]
    wrong += [
        f"mount {point}" for point in (*processes.mounts_below(box.data_dir), *processes.mounts_below(box.run_dir))
    ]
    if box.run_dir.is_dir():
        wrong += [f"file {path}" for path in sorted(box.run_dir.rglob("*")) if not path.is_dir()]
    return sorted(set(wrong))
