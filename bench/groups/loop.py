"""`dayfly dev`: from the moment a handler is saved to the first answer of the new code, through the gateway.

It runs as its author runs it, with a private platform; nothing tells it of a save but the file. A caller asks over one
connection, all the time, until the answer is the new one: what is measured has all of it in it, noticing, packing,
upload, deployment, the import and the change of the routing table. Pauses between saves are random, so that saves fall
on any moment of the watch.
"""

import random
import re
import time
from pathlib import Path

import msgspec

from bench import budgets
from bench.book import Lab
from bench.figures import Spread, percentile
from bench.instance import FUNCTIONS
from bench.probe import Connection, get
from bench.programs import Program, ProgramFailed, until

_READY_S, _ANSWER_S = 180.0, 30.0
_SERVES_AT = re.compile(r"A private platform serves at http://127\.0\.0\.1:(\d+)")
_PAUSE_S = (0.3, 0.8)


class _Handler(msgspec.Struct, frozen=True):
    what: str
    head: str
    source: str
    part: int
    """Of how many saves one is made: an import that takes long is not measured so often."""


_HANDLERS = (
    _Handler("small handler", "", "noop", 1),
    _Handler("numpy and pandas", "import numpy\nimport pandas\n", "tables", 4),
)


def measure(lab: Lab) -> None:
    """Measure the group."""
    for handler in _HANDLERS:
        try:
            taken = _measured(lab, handler)
        except ProgramFailed as failed:
            # Its dependencies come from a package registry, which is not reached everywhere.
            lab.gap(f"save to answer, {handler.what}", failed)
            continue
        note = f"{len(taken)} saves, {min(taken):.0f} to {max(taken):.0f} ms"
        for percent in (50, 99):
            what = f"save to answer, {handler.what}, p{percent}"
            lab.figure(what, Spread((percentile(taken, percent),)), "ms", budget=budgets.SAVE_TO_ANSWER_MS, note=note)


def _measured(lab: Lab, handler: _Handler) -> list[float]:
    """Return the milliseconds from each save to its answer. Raises ProgramFailed."""
    folder = lab.folder("loop")
    written = folder / "written"
    written.mkdir(parents=True)
    for each in (FUNCTIONS / handler.source).glob("requirements.txt"):
        (written / each.name).write_bytes(each.read_bytes())
    _save(written, handler, 0)
    log = folder / "dev.log"
    environ = {**lab.environ, "DAYFLY_DATA_DIR": str(folder / "none"), "TMPDIR": str(lab.scratch)}
    command = [lab.tools.need("dayfly"), "dev", str(written)]
    saves = lab.plan.saves // handler.part
    with Program("dayfly dev", command, log=log, environ=environ, cwd=folder) as program:
        port = _port(program, log)
        choice = random.Random(saves)
        taken = []
        with Connection(port, _ANSWER_S) as connection:
            for number in range(1, saves + 1):
                lab.say(f"{handler.what}: save {number}/{saves}")
                time.sleep(choice.uniform(*_PAUSE_S))
                began = time.perf_counter()
                _save(written, handler, number)
                taken.append((_answered(program, connection, number) - began) * 1e3)
        return taken


def _port(program: Program, log: Path) -> int:
    """Return the gateway's port once the first revision answers. Raises ProgramFailed."""
    for _ in until(_READY_S, 0.02):
        program.check()
        text = log.read_text(errors="replace")
        found = _SERVES_AT.search(text)
        if found and "revision 1 answers" in text:
            return int(found[1])
        if "could not be" in text:
            raise ProgramFailed(f"dayfly dev could not deploy it: {program.tail()}")
    raise ProgramFailed(f"dayfly dev did not deploy in {_READY_S:g} s: {program.tail()}")


def _save(folder: Path, handler: _Handler, number: int) -> None:
    """Write the handler as most editors do: beside it, then in its place."""
    fresh = folder / ".handler.py.swp"
    fresh.write_text(f"{handler.head}def handle(event, context):\n    return '{number}'\n")
    fresh.rename(folder / "handler.py")


def _answered(program: Program, connection: Connection, number: int) -> float:
    """Return when the first answer of that number was whole. Raises ProgramFailed."""
    request, wanted = get("/function/written"), str(number).encode()
    for _ in until(_ANSWER_S, 0.002):
        if connection.call(request) == wanted:
            return time.perf_counter()
    raise ProgramFailed(f"save {number} was not answered in {_ANSWER_S:g} s: {program.tail()}")
