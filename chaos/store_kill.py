"""Runs `store_work` with a fault at one of its system calls, and judges what it left behind.

strace puts the fault where it is wanted: at the N-th call of one kind, which makes a run repeatable. What the process
acknowledged must be there, a change it was at may be there as a whole or not at all, and nothing else.
"""

import asyncio
import itertools
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec

from chaos.store_work import Kept, Owner, expected, is_state, life_of
from dayfly.api import admin_file
from dayfly.model.names import BundleDigest

CALLS = (
    "pwrite64",
    "fdatasync",
    "fsync",
    "write",
    "rename",
    "ftruncate",
    "unlink",
    "mkdir",
    "mkdirat",
    "fchmod",
    "openat",
)
"""What changes a disk; `openat` creates files."""


class CannotTrace(Exception):
    """strace is not to be had here; the text says why."""


class Run(msgspec.Struct, frozen=True):
    """What the process said before its end."""

    done: list[int]
    begun: list[int]
    """Changes that were begun and neither acknowledged nor refused."""
    refused: list[int]
    functions_seen: list[int]
    """How many functions could be read after each refusal."""
    ended: int


class Judgement(msgspec.Struct, frozen=True):
    """What was found when everything was opened again."""

    lost: list[str]
    """What was acknowledged and is not there, or is there and never was wanted."""
    orphans: list[str]
    """Files that nobody will ever use or remove."""
    opened_s: float


def run_with(folder: Path, fault: str, *, patient: bool = False) -> Run:
    """Run the workload on the folder under a fault as `strace -e inject` takes it. Raises CannotTrace."""
    _check_strace()
    traced = fault.partition(":")[0]
    program = [*_program(folder), *(["patient"] if patient else [])]
    # Without --seccomp-bpf: with it, strace 6.1 counts only the first call of each kind.
    command = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", f"trace={traced}", "-e", f"inject={fault}"]
    finished = subprocess.run([*command, *program], capture_output=True, text=True, timeout=120, check=False)
    if "ptrace" in finished.stderr and not finished.stdout:
        raise CannotTrace(f"strace may not trace here: {finished.stderr.strip()[:200]}")
    return _read(finished.stdout, finished.returncode)


def calls_made(folder: Path) -> Counter[str]:
    """Return how often the thread that makes most of them makes each kind of call in a run without a fault.

    Raises CannotTrace.
    """
    trace = folder / "trace"
    (folder / "work").mkdir()
    _check_strace()
    command = ["strace", "-f", "-qqq", "-o", str(trace), "-e", f"trace={','.join(CALLS)}"]
    subprocess.run([*command, *_program(folder / "work")], capture_output=True, timeout=120, check=True)
    each = Counter(re.findall(r"^(\d+) +(\w+)\(", trace.read_text(errors="replace"), re.MULTILINE))
    most: Counter[str] = Counter()
    for (_, call), count in each.items():
        most[call] = max(most[call], count)
    return most


def judge(folder: Path, run: Run) -> Judgement:
    """Open what the run left, as the next life does, and compare it with what was acknowledged."""
    return asyncio.run(_judge(folder, run))


def _check_strace() -> None:
    if shutil.which("strace") is None:
        raise CannotTrace("strace is not installed")


def _program(folder: Path) -> list[str]:
    return [sys.executable, "-B", "-m", "chaos.store_work", str(folder)]


async def _judge(folder: Path, run: Run) -> Judgement:
    began = time.monotonic()
    owner = Owner(folder)
    record = admin_file.load(owner.credentials)
    await owner.store.open()
    opened_s = time.monotonic() - began
    # One change at most was under way. The first that was refused in each life of the store may have reached the disk
    # all the same, and the next life may find it; those after it were refused without being tried.
    first: dict[int, int] = {}
    for number in filter(is_state, run.refused):
        first.setdefault(life_of(number), number)
    unsure = [*run.begun, *first.values()]
    subsets = (chosen for size in range(len(unsure) + 1) for chosen in itertools.combinations(unsure, size))
    possible = [sorted([*run.done, *chosen]) for chosen in subsets]
    wanted = [await expected(done) for done in possible]
    found = await _state(owner)
    lost = (
        [] if found in [await _state(kept) for kept in wanted] else [f"the state is {found}, acknowledged {run.done}"]
    )
    lost += await _check_database(owner)
    lost += _check_files(owner, folder, wanted[0])
    passwords = [await expected([number]) for number in (*run.begun, *run.refused) if not is_state(number)]
    if (record.user if record else "") not in {kept.user for kept in (*wanted, *passwords)}:
        lost.append(f"the credentials are {record}")
    await owner.store.close()
    return Judgement(lost, _orphans(folder), opened_s)


async def _state(kept: Kept | Owner) -> tuple[object, ...]:
    functions = await kept.store.all()
    histories = [await kept.store.revisions(function.key) for function in functions]
    return functions, histories, await kept.store.totals()


async def _check_database(owner: Owner) -> list[str]:
    answer = await owner.store._run(lambda db: db.execute("PRAGMA integrity_check").fetchall())
    return [] if answer == [("ok",)] else [f"integrity_check: {answer}"]


def _check_files(owner: Owner, folder: Path, wanted: Kept) -> list[str]:
    bundles = [name for name in wanted.bundles if not owner.blobs.has(BundleDigest(f"sha256:{name}"))]
    lost = [f"the bundle {name[:12]} is gone" for name in bundles]
    lost += [f"the code {name[:12]} is gone" for name in wanted.unpacked if not (folder / "code" / name).is_dir()]
    for path in (each for each in (folder / "code").glob("[0-9a-f]*") if each.is_dir()):
        if len((path / "handler.py").read_bytes()) < 6 or (path / "folder" / "more.py").stat().st_size != 9000:
            lost.append(f"the code {path.name[:12]} is not whole")
    return lost


def _orphans(folder: Path) -> list[str]:
    known = {"state.db", "admin.json"}
    files = [path for path in folder.rglob("*") if path.is_file() and "code" not in path.relative_to(folder).parts]
    strange = [path for path in files if path.name not in known and len(path.name) != 64]
    strange += [path for path in (folder / "code").iterdir() if len(path.name.removesuffix(".layers")) != 64]
    return [str(path.relative_to(folder)) for path in strange]


def _read(text: str, code: int) -> Run:
    words = [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]
    done = [int(line[1]) for line in words if line[0] == "done"]
    refused = sorted({int(line[1]) for line in words if line[0] == "refused"} - set(done))
    begun = [int(line[1]) for line in words if line[0] == "begin"]
    functions = [int(line[3]) for line in words if line[0] == "refused"]
    return Run(done, [each for each in begun if each not in (*done, *refused)], refused, functions, code)
