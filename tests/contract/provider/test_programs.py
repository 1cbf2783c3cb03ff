"""Replicas of the runtime `exec`: a program for each call, as it is started, fed, read, and ended."""

import asyncio
import base64
import json
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.provider.conftest import Audience, LocalStage, alive, call, connect, eventually, reach, staged

from dayfly.model.replica import StartOrder
from dayfly.runtimes.jail.detect import detect
from dayfly.runtimes.python.cells import Cells

MIB = 1 << 20


STAGES = ("local", "kubernetes")
watchdogs = pytest.mark.local_only("it is between the watchdog and its program, of which a pod has the same two")


@pytest.fixture(scope="module")
def programs(request: pytest.FixtureRequest) -> Iterator[LocalStage]:
    """A stage of a kind for all tests here: they differ in their functions, and none harms another's."""
    with staged(request) as made:
        yield made


def place(order: StartOrder, **files: str) -> None:
    """Put executable files into the function's folder; `run` is run.sh."""
    for name, text in files.items():
        path = Path(order.code_dir) / f"{name}.sh"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)


def play(
    stage: LocalStage, script: str, scene: Callable[[str, Audience], Awaitable[None]], process: str = "", **changes: Any
) -> None:
    """Start a replica whose program is `script`, and run `scene` with its address."""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order("", runtime="exec", process=process or "run.sh", lang="exec", **changes)
            place(order, run=script)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            try:
                await scene(ready.address, audience)
            finally:
                await provider.stop(order.replica, grace_s=0)
                await audience.exited(order.replica)

    asyncio.run(main())


def refusal(stage: LocalStage, process: str, **changes: Any) -> str:
    """Return why a replica does not start."""

    async def main() -> str:
        async with stage.opened() as (provider, audience):
            order = stage.order("", runtime="exec", process=process, **changes)
            (Path(order.code_dir) / "plain.sh").write_text("#!/bin/sh\n")
            await provider.start(order)
            ended = await audience.exited(order.replica)
            assert ended.reason == "start_failed"
            return ended.detail

    return asyncio.run(main())


def cmdline(pid: int) -> bytes:
    """Return the process's command line, nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def sleepers_end(stage: LocalStage, before: set[int], count: int) -> set[int]:
    """Wait for so many new `sleep 300`, and return them."""
    await eventually(lambda: len(stage.sleepers() - before) >= count)
    return stage.sleepers() - before


def test_a_program_gets_the_request_and_its_output_is_the_answer(programs: LocalStage) -> None:
    async def scene(address: str, audience: Audience) -> None:
        first = await call(address, b"hello", target="/a/b?x=1", headers={"X-Call-Id": "call-1", "Content-Type": "a/b"})
        assert (first.status, first.headers["content-type"]) == (200, "a/b")
        told = json.loads(first.body)
        assert told["stdin"] == "hello"
        assert told["cwd"] == told["folder"]
        assert told["argv"] == ["x", "", "$HOME", "'y"]
        (second,) = [json.loads((await call(address, method="GET")).body)]
        assert second["pid"] != told["pid"]
        for text, stream, call_id in (
            ("Forking fprocess.", "platform", "call-1"),
            ("Wrote ", "platform", "call-1"),
            ("to stderr", "stderr", "call-1"),
            ("no line end", "stderr", "call-1"),
        ):
            line = await audience.line(text)
            assert (line.stream, line.call_id) == (stream, call_id)
        wrote = (await audience.line("Wrote ")).text
        assert re.match(rf"Wrote {len(first.body)} Bytes - Duration: \d+\.\d+", wrote), wrote

    script = (
        "echo to stderr >&2; printf 'no line end' >&2\n"
        "exec python3 -c 'import json,os,sys\n"
        'print(json.dumps({"stdin": sys.stdin.read(), "cwd": os.getcwd(), "folder": os.environ["PWD"],'
        ' "argv": sys.argv[1:], "pid": os.environ["DAYFLY_CALL_ID"]}))\' "$@"'
    )
    play(programs, script, scene, process="run.sh x  $HOME 'y")


def test_a_program_finds_the_functions_environment_and_the_requests(programs: LocalStage) -> None:
    async def scene(address: str, _audience: Audience) -> None:
        headers = {"X-Call-Id": "call-7", "Proxy": "http://evil", "X_Forwarded_For": "evil", "Query": "evil"}
        answer = await call(address, b"12345", method="PUT", target="/p%20q?x=1", headers=headers)
        told = dict(line.split("=", 1) for line in answer.body.decode().splitlines())
        assert {name: told[name] for name in told if name.startswith("Http_")} == {
            "Http_Method": "PUT",
            "Http_Path": "/p q",
            "Http_Query": "x=1",
            "Http_Host": "replica",
            "Http_ContentLength": "5",
            "Http_Content_Length": "5",
            "Http_X_Call_Id": "call-7",
            "Http_Accept_Encoding": "identity",
        }
        assert told["GREETING"] == "hi"
        assert told["OPENFAAS_NAME"] == told["DAYFLY_FUNCTION"]
        assert told["OPENFAAS_NAMESPACE"] == "openfaas-fn"
        assert told["DAYFLY_CALL_ID"] == "call-7"
        assert told["DAYFLY_REPLICA"] == told["HOSTNAME"]
        assert "evil" not in answer.body.decode()
        bare = await call(address, method="GET")
        assert b"Http_Query" not in bare.body

    play(programs, "", scene, process="env", env={"GREETING": "hi"})


@pytest.mark.parametrize(
    ("script", "body"),
    [
        ("echo partly; exit 3", b"exit status 3\npartly\n"),
        ("kill -9 $$", b"signal: killed\n"),
        ("kill -SEGV $$", b"signal: segmentation fault\n"),
    ],
)
def test_a_program_that_fails_is_a_500_with_the_reason(programs: LocalStage, script: str, body: bytes) -> None:
    async def scene(address: str, audience: Audience) -> None:
        answer = await call(address, b"x", headers={"Content-Type": "image/png", "X-Call-Id": "call-1"})
        assert (answer.status, answer.body) == (500, body)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        line = await audience.line(body.decode().partition("\n")[0])
        assert (line.stream, line.call_id) == ("platform", "call-1")
        assert (await call(address, b"x")).status == 500  # the replica goes on

    play(programs, script, scene)


def test_what_cannot_be_started_is_a_500_that_the_log_explains(programs: LocalStage) -> None:
    async def scene(address: str, audience: Audience) -> None:
        answer = await call(address, headers={"X-Call-Id": "call-1"})
        assert (answer.status, json.loads(answer.body)["code"]) == (500, "function_failed")
        line = await audience.line("could not be started: No such file or directory; is the interpreter there")
        assert (line.stream, line.call_id) == ("platform", "call-1")
        assert not [line.text for line in audience.lines if "Traceback" in line.text]

    async def main() -> None:
        async with programs.opened() as (provider, audience):
            order = programs.order("", runtime="exec", process="./odd")
            path = Path(order.code_dir) / "odd"
            path.write_text("#!/no/such/interpreter\n")
            path.chmod(0o755)
            await provider.start(order)
            await scene((await audience.ready(order.replica)).address, audience)

    asyncio.run(main())


def test_a_body_goes_through_while_the_answer_comes(programs: LocalStage) -> None:
    body = os.urandom(8 * MIB)

    async def scene(address: str, _audience: Audience) -> None:
        answer = await call(address, body, headers={"Content-Type": "application/x"})
        assert (answer.status, answer.body == body) == (200, True)

    play(programs, "", scene, process="cat")


def test_a_program_need_not_read_its_input(programs: LocalStage) -> None:
    async def scene(address: str, audience: Audience) -> None:
        reader, writer = await connect(address)
        for _ in range(2):  # the second over the same connection: it was not cut under a caller who still sent
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n" + b"x" * 500_000)
            await audience.line("ended")
            await eventually(lambda: not [pid for pid in programs.below() if b"run.sh" in cmdline(pid)])
            writer.write(b"x" * 500_000)
            assert (await reader.readuntil(b"done\n")).startswith(b"HTTP/1.1 200 ")
            audience.lines.clear()
        writer.close()

    play(programs, "exec <&-; echo done; echo ended >&2", scene)


def test_a_timeout_ends_the_program_with_all_that_it_started(programs: LocalStage) -> None:
    async def scene(address: str, audience: Audience) -> None:
        before = programs.sleepers()
        calling = asyncio.create_task(call(address, headers={"X-Call-Id": "call-1"}))
        started = await sleepers_end(programs, before, 4)
        answer = await calling
        assert (answer.status, json.loads(answer.body)["code"]) == (504, "timeout")
        assert "its timeout is 3 s" in json.loads(answer.body)["detail"]
        line = await audience.line("its program was ended")
        assert re.match(r"limit: the call ran for \d+\.", line.text), line.text
        assert line.call_id == "call-1"
        await eventually(lambda: not any(map(alive, started)))

    lost = 'setsid -f sh -c "sleep 300 & sleep 300"; sh -c "sleep 300 & sleep 300"'
    play(programs, f"trap '' TERM; {lost}", scene, timeout_s=3.0)


@watchdogs
def test_a_caller_may_ask_for_less_time_and_for_no_more(programs: LocalStage) -> None:
    async def scene(address: str, _audience: Audience) -> None:
        answer = await call(address, headers={"X-Timeout": "100ms"})
        assert (answer.status, "its timeout is 0.1 s" in answer.body.decode()) == (504, True)
        answers = await asyncio.gather(*(call(address, headers={"X-Timeout": asked}) for asked in ("1h", "soon", "0")))
        assert ["its timeout is 1 s" in each.body.decode() for each in answers] == [True] * 3

    play(programs, "exec sleep 300", scene, timeout_s=1.0)


def test_a_caller_who_goes_away_ends_the_program(programs: LocalStage) -> None:
    async def scene(address: str, audience: Audience) -> None:
        before = programs.sleepers()
        reader, writer = await connect(address)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nx-call-id: call-1\r\n\r\n")
        started = await sleepers_end(programs, before, 1)
        writer.close()
        await reader.read()
        await eventually(lambda: not any(map(alive, started)))
        line = await audience.line("the caller went away; its program was ended")
        assert line.call_id == "call-1"

    play(programs, "exec sleep 300", scene)


@watchdogs
def test_what_a_call_leaves_behind_ends_with_it_and_not_with_anothers(programs: LocalStage) -> None:
    """The background processes of a call that still runs go on, however they were cut loose."""

    async def scene(address: str, _audience: Audience) -> None:
        before = programs.sleepers()
        long = asyncio.create_task(call(address, b"long"))
        kept = await sleepers_end(programs, before, 3)
        assert (
            await call(address, b"short")
        ).body == b"short\n"  # leaves three more, and holds its output open in them
        assert programs.sleepers() - before == kept
        (signal / "go").touch()
        assert (await long).body == b"long\n"
        await eventually(lambda: not any(map(alive, kept)))

    # Both are in a folder that the function may read: its own.
    signal = Path()
    script = (
        "read what; setsid -f sleep 300; sleep 300 & (env -i sleep 300 &)\n"
        'if [ "$what" = long ]; then while [ ! -e go ]; do sleep 0.02; done; fi\n'
        "echo $what"
    )

    async def main() -> None:
        nonlocal signal
        async with programs.opened() as (provider, audience):
            order = programs.order("", runtime="exec", process="run.sh")
            place(order, run=script)
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            signal = programs.code(order)
            await scene(address, audience)
            await provider.stop(order.replica, grace_s=0)
            await audience.exited(order.replica)

    asyncio.run(main())


@watchdogs
def test_calls_run_side_by_side(programs: LocalStage) -> None:
    async def scene(address: str, _audience: Audience) -> None:
        answers = await asyncio.gather(*(call(address, str(number).encode()) for number in range(5)))
        assert sorted(answer.body for answer in answers) == [f"{number}\n".encode() for number in range(5)]

    # Each waits until all are there.
    script = "read n; touch /tmp/here-$n; while [ $(ls /tmp | grep -c here-) -lt 5 ]; do sleep 0.02; done; echo $n"
    play(programs, script, scene)


def test_streaming_answers_while_the_request_still_comes(programs: LocalStage) -> None:
    async def scene(address: str, audience: Audience) -> None:
        reader, writer = await connect(address)
        writer.write(b"POST /s HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\none\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"content-type: text/event-stream\r\n" in head
        assert await reader.readuntil(b"got one\n\r\n") == b"8\r\ngot one\n\r\n"
        writer.write(b"4\r\ntwo\n\r\n0\r\n\r\n")
        assert await reader.readuntil(b"0\r\n\r\n") == b"8\r\ngot two\n\r\n0\r\n\r\n"
        writer.close()
        await audience.line("POST /s - 200 OK - ContentLength: 16B (")

    script = 'while read line; do echo "got $line"; done'
    play(programs, script, scene, env={"mode": "streaming", "content_type": "text/event-stream"})


@watchdogs
def test_streaming_breaks_off_what_fails_under_way_and_says_so_before(programs: LocalStage) -> None:
    async def scene(address: str, audience: Audience) -> None:
        early = await call(address, b"early\n", headers={"X-Call-Id": "call-1"})
        assert (early.status, early.body) == (500, b"exit status 4\n")
        reader, writer = await connect(address)
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nlate\n")
        whole = await reader.read()
        assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
        assert whole.endswith(b"6\r\nbegun\n\r\n")  # and no last chunk
        writer.close()
        await audience.line("exit status 4; the answer was broken off")
        assert not [line.text for line in audience.lines if "Traceback" in line.text]

    play(programs, "read how; [ $how = late ] && echo begun && sleep 0.2; exit 4", scene, env={"mode": "streaming"})


@watchdogs
def test_serializing_answers_with_the_whole_or_the_error_alone(programs: LocalStage) -> None:
    async def scene(address: str, _audience: Audience) -> None:
        good = await call(address, b"0\n", headers={"Content-Type": "a/b"})
        assert (good.status, good.body, good.headers["content-type"]) == (200, b"partly\n", "application/octet-stream")
        bad = await call(address, b"5\n")
        assert (bad.status, bad.body) == (500, b"exit status 5\n")

    play(programs, "read code; echo partly; exit $code", scene, env={"mode": "serializing"})


@watchdogs
def test_other_variables_of_the_watchdogs(programs: LocalStage) -> None:
    async def scene(address: str, audience: Audience) -> None:
        answer = await call(address, b"hello", headers={"X-A": "1", "Content-Type": "a/b", "X-Call-Id": "call-1"})
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        request, count, *_ = answer.body.decode().splitlines()
        told = json.loads(request)
        assert base64.b64decode(told["body"]["raw"]) == b"hello"
        assert told["header"]["X-A"] == ["1"]
        assert count == "0 variables"
        assert b"on stderr" in answer.body
        line = await audience.line("0 variables")  # write_debug
        assert (line.stream, line.call_id) == ("stdout", "call-1")

    env = {
        "combine_output": "true", "content_type": "application/json", "cgi_headers": "false", "marshal_request": "true",
        "write_debug": "true",
    }  # fmt: skip
    play(programs, 'cat; echo; echo "$(env | grep -c ^Http_) variables"; echo on stderr >&2', scene, env=env)


@watchdogs
def test_head_is_answered_without_a_body(programs: LocalStage) -> None:
    async def scene(address: str, _audience: Audience) -> None:
        answer = await call(address, method="HEAD")
        assert (answer.status, answer.headers["content-length"], answer.body) == (200, "5", b"")
        assert (await call(address, method="OPTIONS")).body == b"done\n"

    play(programs, "echo done", scene)


@pytest.mark.parametrize(
    ("process", "env", "told"),
    [
        ("nothing", {}, "process: there is no program 'nothing' in the function's folder or on its PATH"),
        ("./plain.sh", {}, "process: ./plain.sh is not executable"),
        ("cat", {"mode": "warp"}, "mode: 'warp' must be one of"),
    ],
)
def test_what_cannot_run_does_not_start(programs: LocalStage, process: str, env: dict[str, str], told: str) -> None:
    assert told in refusal(programs, process, env=env)


def test_replicas_of_one_function_are_drained_one_by_one(programs: LocalStage) -> None:
    async def main() -> None:
        async with programs.opened() as (provider, audience):
            first = programs.order("", runtime="exec", process="run.sh")
            place(first, run="echo begun >&2; cat; sleep 0.2; echo done")
            second = programs.again(first)
            for order in (first, second):
                await provider.start(order)
                await audience.ready(order.replica)
            address = (await audience.ready(second.replica)).address
            running = asyncio.create_task(call(address, b"x"))
            await audience.line("begun")
            await provider.stop(second.replica, grace_s=10)
            assert (await running).body == b"xdone\n"
            assert (await audience.exited(second.replica)).reason == "stopped"
            await provider.stop(first.replica, grace_s=10)
            await audience.exited(first.replica)

    asyncio.run(main())


def test_a_killed_replica_takes_its_programs_along(programs: LocalStage) -> None:
    async def main() -> None:
        async with programs.opened() as (provider, audience):
            before = programs.sleepers()
            order = programs.order("", runtime="exec", process="run.sh")
            place(order, run="setsid -f sleep 300; exec sleep 300")
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            running = asyncio.create_task(call(address))
            started = await sleepers_end(programs, before, 2)
            await provider.stop(order.replica, grace_s=0.1)
            assert (await audience.exited(order.replica)).reason == "killed"
            with pytest.raises(OSError, match=r".*"):
                await running
            await eventually(lambda: not any(map(alive, started)))

    asyncio.run(main())


def test_what_programs_use_is_counted_as_the_replicas(programs: LocalStage) -> None:
    async def main() -> None:
        async with programs.opened() as (provider, audience):
            order = programs.order("", runtime="exec", process="run.sh")
            place(
                order,
                run='exec python3 -c \'import sys; x = b"x" * 60_000_000; print("here", flush=True, file=sys.stderr);'
                " sys.stdin.read(); import time\nwhile time.process_time() < 0.3: pass'",
            )
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            before = (await provider.stats())[order.replica]
            reader, writer = await connect(address)
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n")
            await audience.line("here")
            during = (await provider.stats())[order.replica]
            assert during.memory_bytes - before.memory_bytes > 50_000_000
            writer.write(b"x")
            await reader.readuntil(b"\r\n\r\n")
            writer.close()
            after = (await provider.stats())[order.replica]
            assert after.cpu_s - before.cpu_s >= 0.1
            await provider.stop(order.replica, grace_s=1)
            await audience.exited(order.replica)

    asyncio.run(main())


@pytest.mark.local_only("a pod gives functions no namespaces: tests/escape has what holds in one")
def test_a_program_is_held_in_the_functions_box(programs: LocalStage) -> None:
    layers = detect(lambda: "")
    if not layers.namespaces:
        pytest.skip("this machine gives functions no namespaces: see tests/escape for what holds there")

    async def scene(address: str, _audience: Audience) -> None:
        told = json.loads((await call(address)).body)
        status = dict(line.split(":\t", 1) for line in told["status"].splitlines() if ":\t" in line)
        assert {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
            "CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapAmb": 0,
        }  # fmt: skip
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        assert len(told["pids"]) <= 4  # the template, its replicas, this program: nobody else's
        assert told["failures"] == {
            "mount": "EPERM", "ptrace": "EPERM", "other": "ENOENT", "shadow": "ENOENT", "write": "EROFS",
            "run": "ENOENT",
        }  # fmt: skip
        assert told["fds"] == ["0", "1", "2"]

    probe = """
import ctypes, errno, json, os
libc = ctypes.CDLL(None, use_errno=True)
def attempt(action):
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
def system(*arguments):
    if libc.syscall(*arguments) == -1:
        raise OSError(ctypes.get_errno(), "")
fds = sorted(fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}"))
failures = {
    "mount": attempt(lambda: system(165 if os.uname().machine == "x86_64" else 40, 0, b"/mnt", 0, 0, 0)),
    "ptrace": attempt(lambda: system(101 if os.uname().machine == "x86_64" else 117, 0, 0, 0, 0)),
    "other": attempt(lambda: open(OTHER)),
    "shadow": attempt(lambda: open("/etc/shadow")),
    "write": attempt(lambda: open("own", "w")),
    "run": attempt(lambda: os.listdir(RUN)),
}
print(json.dumps({
    "status": open("/proc/self/status").read(), "failures": failures, "fds": fds,
    "pids": [name for name in os.listdir("/proc") if name.isdigit()],
}))
"""
    other = programs.order("")
    probe = probe.replace("OTHER", repr(f"{other.code_dir}/handler.py")).replace("RUN", repr(str(programs.run)))
    play(programs, f"exec python3 - <<'PROBE'\n{probe}\nPROBE", scene)


@pytest.mark.local_only("a pod may make no cgroups: the one that it is in is made by its kubelet")
def test_memory_is_limited_for_the_replica_and_not_by_what_a_program_sets_aside(programs: LocalStage) -> None:
    cells = Cells.found()
    cells.close()
    if cells.missing:
        pytest.skip("no cgroups for memory, pids and cpu may be made here")

    async def scene(address: str, audience: Audience) -> None:
        assert (await call(address, b"0")).body == b"set aside\n"
        over = await call(address, b"1")
        assert (over.status, over.body) == (500, b"signal: killed\nset aside\n")
        await audience.line("limit: the kernel ended a process, as the replica used its 128 MiB of memory")

    script = (
        "exec python3 -c 'import mmap, sys\n"
        "x = mmap.mmap(-1, 1 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        'print("set aside", flush=True)\n'
        'if sys.stdin.read() == "1":\n for at in range(0, len(x), 4096): x[at] = 1\''
    )
    play(programs, script, scene, memory_bytes=128 * MIB)


@watchdogs
def test_a_pipelined_request_waits_for_its_turn(programs: LocalStage) -> None:
    async def scene(address: str, _audience: Audience) -> None:
        with reach(address) as sock:
            one = b"POST /%d HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n%d"
            await asyncio.to_thread(sock.sendall, b"".join(one % (each, each) for each in (1, 2)))
            got = b""
            while got.count(b"HTTP/1.1 200") < 2 or not got.endswith(b"/2 2\n"):
                data = await asyncio.to_thread(sock.recv, 65_536)
                assert data
                got += data
            assert got.index(b"/1 1\n") < got.index(b"/2 2\n")

    play(programs, 'echo "$Http_Path $(cat)"', scene)


@pytest.mark.parametrize("mode", ["classic", "serializing"])
@watchdogs
def test_what_a_program_used_is_told_once_it_has_ended(programs: LocalStage, mode: str) -> None:
    burn = "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo done"

    async def scene(address: str, _: Audience) -> None:
        answer = await call(address)
        assert answer.body == b"done\n"
        cpu_us = int(answer.headers["x-dayfly-used"].split()[0])
        assert cpu_us > 1000  # that many turns of a shell's loop take ten times as long on any machine
        answer = await call(address, method="GET", target="/_/health")
        assert "x-dayfly-used" not in answer.headers

    play(programs, burn, scene, env={"mode": mode})
