"""The contract of the Provider port for functions in Node, and what is Node's own."""

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.contract.provider.conftest import connect

from dayfly.model.debug import Debug
from dayfly.model.replica import ReplicaExited, ReplicaReady
from dayfly.runtimes.python.processes import children_of

STAGES = ("local", "kubernetes")

NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(NODE is None, reason="there is no node on PATH: apt-get install nodejs")
hosts = pytest.mark.local_only("it is between a caller and the Node process, which is the same one in a pod")
spares = pytest.mark.local_only("a pod has one replica in its life: none comes after it, in its /tmp or from a spare")

HELLO = "module.exports = async (event, context) => `hello ${event.body}`;\n"
SLEEPY = """
module.exports = async (event, context) => {
  console.log('begun');
  await new Promise((resolve) => setTimeout(resolve, Number(event.body)));
  return 'done';
};
"""


def order_of(stage: Any, source: str, *, name: str = "handler.js", **changes: Any) -> Any:
    """Return an order for a function in Node whose `name` holds `source`."""
    assert NODE is not None
    settled = {"runtime": "node", "lang": "node", "interpreter": os.path.realpath(NODE)}
    order = stage.order("", **(settled | changes))
    put(order, name, source)
    return order


def put(order: Any, name: str, content: str) -> None:
    """Add a file to the function's folder."""
    path = Path(order.code_dir, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o644)
    path.parent.chmod(0o755)


def test_a_started_replica_answers_and_ends_when_stopped(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, HELLO)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            assert (await ask(ready.address, b"world")).body == b"hello world"
            await provider.stop(order.replica, grace_s=5)
            ended = await audience.exited(order.replica)
            assert (ended.reason, "exit code 0" in ended.detail) == ("stopped", True), ended
            with pytest.raises(OSError, match=r"No such file|refused"):
                await ask(ready.address)
            assert [type(event) for event in audience.events] == [ReplicaReady, ReplicaExited]

    asyncio.run(main())


@spares
def test_replicas_of_one_function_are_processes_apart_with_a_spare_ahead(stage: Any, ask: Any, eventually: Any) -> None:
    source = "let count = 0;\nmodule.exports = () => ({ count: (count += 1), pid: process.pid });\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            first = order_of(stage, source)
            await provider.start(first)
            one = (await audience.ready(first.replica)).address
            await eventually(lambda: len(nodes_below(stage)) == 2)
            spare = max(nodes_below(stage))
            second = stage.again(first)
            await provider.start(second)
            two = (await audience.ready(second.replica)).address
            answers = [json.loads((await ask(each)).body) for each in (one, one, two)]
            assert [each["count"] for each in answers] == [1, 2, 1]
            assert spare in nodes_below(stage)
            await eventually(lambda: len(nodes_below(stage)) == 3)

    asyncio.run(main())


ANSWERS = {
    "returned": ("(event) => ({ statusCode: 201, headers: { 'X-A': 'b' }, body: event.body })", 201, b"text"),
    "succeed": ("(e, c) => c.status(202).headers({ 'x-a': 'b' }).succeed(e.body)", 202, b"text"),
    "succeed later": (
        "(e, c, cb) => void setTimeout(() => c.headers({ 'x-a': 'b' }).succeed(e.body), 5)",
        200,
        b"text",
    ),
    "callback": ("(e, c, cb) => void setTimeout(cb, 5, c.headers({ 'x-a': 'b' }) && null, e.body)", 200, b"text"),
    "callback error": ("(e, c, cb) => void setTimeout(cb, 5, c.headers({ 'x-a': 'b' }) && 'bad')", 500, b"bad"),
    "fail": ("async (e, c) => c.headers({ 'x-a': 'b' }).fail(new Error('bad'))", 500, b"Error: bad"),
    "the first counts": ("async (e, c) => { c.headers({ 'x-a': 'b' }).succeed('a'); return 'b'; }", 200, b"a"),
    "generator": ("async function* (e) { yield 'te'; yield 'xt'; }", 200, b"text"),
    "stream": ("() => require('node:stream').Readable.from([Buffer.from('te'), 'xt'])", 200, b"text"),
    "empty stream": ("async function* () {}", 200, b""),
}


@hosts
def test_a_handler_may_answer_in_many_ways(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            source = "".join(f"exports[{json.dumps(name)}] = {code};\n" for name, (code, _, _) in ANSWERS.items())
            source += "exports.handler = (event, context, callback) => pick(event)(event, context, callback);\n"
            source += "const pick = (event) => exports[decodeURIComponent(event.path.slice(1))];\n"
            order = order_of(stage, source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            for name, (_code, status, body) in ANSWERS.items():
                answer = await ask(ready.address, b"text", target=f"/{name.replace(' ', '%20')}")
                assert (answer.status, answer.body) == (status, body), name
                streamed = name in ("generator", "stream", "empty stream")
                assert answer.headers.get("x-a") == (None if streamed else "b"), name
                assert ("transfer-encoding" in answer.headers) is (name in ("generator", "stream")), name

    asyncio.run(main())


@hosts
def test_a_handler_of_openfaas_runs_unchanged(stage: Any, ask: Any) -> None:
    source = """
'use strict'

module.exports = async (event, context) => {
  const result = {
    'body': JSON.stringify(event.body),
    'content-type': event.headers["content-type"],
    'query': event.query.q,
    'method': event.method,
    'path': event.path
  }

  return context
    .status(200)
    .headers({ 'Content-Type': 'application/json; charset=utf-8' })
    .succeed(result)
}
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            json_type = {"Content-Type": "application/json"}
            answer = await ask(ready.address, b'{"a": 1}', target="/p?q=1", headers=json_type)
            assert answer.headers["content-type"] == "application/json; charset=utf-8"
            told = {"body": '{"a":1}', "content-type": "application/json", "query": "1", "method": "POST", "path": "/p"}
            assert json.loads(answer.body) == told
            reader, writer = await connect(ready.address)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert json.loads((await reader.read()).partition(b"\r\n\r\n")[2])["body"] == "{}"
            writer.close()
            refused = await ask(ready.address, b"{", headers=json_type)
            assert (refused.status, json.loads(refused.body)["code"]) == (400, "invalid_body")

    asyncio.run(main())


@hosts
def test_what_the_protocol_asks_for_is_kept(stage: Any, ask: Any) -> None:
    source = "module.exports = (event) => event.path === '/none' ? { statusCode: 204 } : 'text';\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            head = await ask(ready.address, method="HEAD")
            assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "4")
            none = await ask(ready.address, target="/none")
            assert (none.status, "content-length" in none.headers) == (204, False)
            assert (await ask(ready.address, target="/_/health")).body == b"OK"
            assert (await ask(ready.address, target="/_/ready")).status == 200
            assert (await ask(ready.address, target="/_/other")).body == b"text"
            reader, writer = await connect(ready.address)
            for _ in range(3):
                writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")
                assert (await reader.readuntil(b"\r\n\r\ntext")).startswith(b"HTTP/1.1 200 OK\r\n")
            writer.close()

    asyncio.run(main())


def test_a_handler_that_cannot_be_loaded_is_reported_with_its_trace(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            orders = [order_of(stage, "console.log('loading');\nconst value = undefined;\nvalue.nothing;\n")]
            orders.append(stage.again(orders[0]))
            for order in orders:
                await provider.start(order)
            ended = [await audience.exited(order.replica) for order in orders]
            assert [each.reason for each in ended] == ["import_failed"] * 2
            assert "TypeError" in ended[0].detail
            assert "handler.js:3" in ended[0].detail
            assert "node:internal" not in ended[0].detail
            assert "main.cjs" not in ended[0].detail
            first = orders[0].replica  # in a pod the other has loaded it too, and maybe sooner
            await audience.until(lambda: [e for e in audience.lines if (e.text, e.replica) == ("loading", first)])
            assert len(audience.events) == 2

    asyncio.run(main())


UNFIT = {
    "exports no function": "module.exports = { a: 1 };\n",
    "SyntaxError": "module.exports = (\n",
    "exit code 3 while loading": "process.exit(3);\n",
    "SIGKILL while loading": "process.kill(process.pid, 'SIGKILL');\n",
}


@hosts
@pytest.mark.parametrize("told", UNFIT)
def test_why_a_module_is_unfit_is_told(stage: Any, told: str) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, UNFIT[told])
            await provider.start(order)
            ended = await audience.exited(order.replica)
            assert (ended.reason, told in ended.detail) == ("import_failed", True), ended

    asyncio.run(main())


@spares
def test_a_later_replica_that_cannot_load_says_so_itself(stage: Any, ask: Any) -> None:
    source = """
const fs = require('node:fs');
if (fs.existsSync(`${process.env.TMPDIR}/broken`)) throw new Error('second thoughts');
module.exports = () => fs.writeFileSync(`${process.env.TMPDIR}/broken`, '') ?? 'ok';
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            first = order_of(stage, source)
            await provider.start(first)
            await ask((await audience.ready(first.replica)).address)
            for _ in range(2):
                later = stage.again(first)
                await provider.start(later)
                ended = await audience.until(
                    lambda later=later: [e for e in audience.events if e.replica == later.replica]
                )
                if isinstance(ended[0], ReplicaExited):
                    assert ended[0].reason == "start_failed"
                    assert "second thoughts" in ended[0].detail
                    return
            raise AssertionError("no replica noticed")

    asyncio.run(main())


FAILURES = {
    "throw": ("throw new TypeError('gone wrong')", "TypeError"),
    "reject": ("return Promise.reject(new RangeError('gone wrong'))", "RangeError"),
    "no error": ("throw 'gone wrong'", "string"),
    "nobody waits": ("return new Promise(() => setTimeout(() => { throw new Error('gone wrong') }, 1))", "Error"),
    "unsendable": ("return { statusCode: 99, body: 'gone wrong' }", "RangeError"),
    "header": ("return { headers: { a: 'gone\\nwrong' }, body: '' }", "TypeError"),
    "generator": ("return (async function* () { throw new Error('gone wrong') })()", "Error"),
}


@hosts
def test_what_a_handler_throws_is_an_answer_and_a_trace(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            cases = "".join(f"case {json.dumps(name)}: {code};\n" for name, (code, _) in FAILURES.items())
            source = f"module.exports = (event) => {{\nswitch (event.body) {{\n{cases}}}\n}};\n"
            order = order_of(stage, source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            for name, (_code, kind) in FAILURES.items():
                answer = await ask(ready.address, name.encode(), headers={"X-Call-Id": f"call {name}"})
                told = json.loads(answer.body)
                assert answer.headers["content-type"] == "application/problem+json"
                assert (answer.status, told["code"], told["call_id"]) == (500, "function_failed", f"call {name}")
                assert told["detail"] == f"the function raised {kind}; its log has the traceback under this call id"
                lines = await audience.until(
                    lambda name=name: [line for line in audience.lines if line.call_id == f"call {name}"]
                )
                assert {line.stream for line in lines} == {"stderr"}, name
                assert kind in lines[0].text or name == "no error", name
            assert not any(isinstance(event, ReplicaExited) for event in audience.events)

    asyncio.run(main())


@hosts
def test_whoever_writes_the_function_is_told_the_trace(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            source = "module.exports = () => {\n  throw new TypeError('gone wrong');\n};\n"
            order = order_of(stage, source, debug=Debug(source="/home/me/fn"))
            await provider.start(order)
            ready = await audience.ready(order.replica)
            told = json.loads((await ask(ready.address)).body)
            assert told["detail"] == "the function raised TypeError: gone wrong"
            assert "at module.exports (/home/me/fn/handler.js:2:9)" in told["traceback"]
            read = await ask(ready.address, headers={"User-Agent": "curl/8"})
            assert (read.status, read.body.decode()) == (500, told["traceback"])

    asyncio.run(main())


@hosts
def test_a_rejection_that_nobody_handles_is_logged_and_ends_nobody(stage: Any, ask: Any) -> None:
    source = "module.exports = () => { Promise.reject(new Error('left alone')); return 'ok'; };\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            assert (await ask(ready.address, headers={"X-Call-Id": "c1"})).body == b"ok"
            line = await audience.line("left alone")
            assert (line.stream, line.call_id) == ("stderr", "c1")
            assert (await ask(ready.address)).body == b"ok"

    asyncio.run(main())


@hosts
def test_a_stream_that_breaks_is_cut_and_logged(stage: Any) -> None:
    source = "module.exports = async function* () { yield 'begun'; throw new Error('midway'); };\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            reader, writer = await connect(ready.address)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            data = await reader.read()
            writer.close()
            assert b"begun" in data
            assert not data.endswith(b"0\r\n\r\n")
            await audience.line("midway")

    asyncio.run(main())


def test_a_caller_who_leaves_ends_the_stream_it_reads(stage: Any) -> None:
    source = """
module.exports = async function* (event, context) {
  context.signal.addEventListener('abort', () => console.log('aborted'));
  try {
    for (;;) { yield 'x'.repeat(100000); await new Promise(setImmediate); }
  } finally {
    console.log('closed');
  }
};
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            reader, writer = await connect(ready.address)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.readexactly(300_000)
            writer.transport.abort()
            await audience.line("aborted")
            await audience.line("closed")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("ending", "reason", "told"),
    [
        ("process.exit(3)", "crashed", "exit code 3"),
        ("process.abort()", "crashed", "SIGABRT"),
        ("process.kill(process.pid, 'SIGKILL')", "killed", "SIGKILL"),
    ],
)
def test_a_replica_that_ends_by_itself_is_reported_once(stage: Any, ending: str, reason: str, told: str) -> None:
    source = f"module.exports = () => {{ console.log('farewell'); {ending}; }};\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            reader, writer = await connect(ready.address)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert await reader.read() == b""
            writer.close()
            ended = await audience.exited(order.replica)
            assert (ended.reason, told in ended.detail) == (reason, True), ended
            assert "farewell" in [line.text for line in audience.lines]
            await provider.stop(order.replica, grace_s=0)
            assert len(audience.events) == 2

    asyncio.run(main())


def test_a_stop_lets_the_call_at_hand_finish(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, SLEEPY)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            idle = await connect(ready.address)
            running = asyncio.create_task(ask(ready.address, b"400"))
            await audience.line("begun")
            await provider.stop(order.replica, grace_s=10)
            answer = await running
            assert (answer.body, answer.headers["connection"]) == (b"done", "close")
            assert (await audience.exited(order.replica)).reason == "stopped"
            assert await idle[0].read() == b""
            idle[1].close()

    asyncio.run(main())


def test_what_outlasts_its_grace_is_killed_with_all_it_started(
    stage: Any, ask: Any, eventually: Any, is_alive: Any
) -> None:
    source = """
const { spawn } = require('node:child_process');
module.exports = () => {
  spawn('setsid', ['-f', 'sh', '-c', 'sleep 300 & sleep 300'], { detached: true });
  spawn('sh', ['-c', 'sleep 300 & sleep 300']);
  console.log('begun');
  return new Promise(() => {});
};
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            before = stage.sleepers()
            order = order_of(stage, source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            running = asyncio.create_task(ask(ready.address))
            await audience.line("begun")
            await eventually(lambda: len(stage.sleepers() - before) >= 4)
            started = stage.sleepers() - before
            await provider.stop(order.replica, grace_s=0.1)
            assert (await audience.exited(order.replica)).reason == "killed"
            with pytest.raises(OSError, match=r".*"):
                await running
            await eventually(lambda: not any(map(is_alive, started)))

    asyncio.run(main())


def test_a_replica_stopped_before_it_was_ready_only_ends(stage: Any, eventually: Any) -> None:
    source = "console.log('loading');\nawait new Promise((resolve) => setTimeout(resolve, 300000));\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source, name="handler.mjs")
            await provider.start(order)
            await audience.line("loading")
            await provider.stop(order.replica, grace_s=1)
            assert (await audience.exited(order.replica)).reason == "stopped"
            await eventually(lambda: nodes_below(stage) == [])

    asyncio.run(main())


def test_output_becomes_lines_that_know_their_stream_and_call(stage: Any, ask: Any) -> None:
    source = """
console.log('while loading');
const { execFileSync } = require('node:child_process');
module.exports = async (event, context) => {
  console.log('to %s', 'stdout', { a: 1 });
  console.error('to stderr');
  await new Promise((resolve) => setTimeout(() => resolve(console.log('from a timer')), 10));
  process.stdout.write('first ');
  await new Promise((resolve) => setTimeout(resolve, 10));
  process.stdout.write('and no line end');
  execFileSync('sh', ['-c', 'echo from a child; echo an error of a child >&2'], { stdio: 'inherit' });
  console.log('x'.repeat(20000));
  return '';
};
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            calls = [ask(ready.address, headers={"X-Call-Id": name}) for name in ("call-1", "call-2")]
            assert [answer.body for answer in await asyncio.gather(*calls)] == [b"", b""]
            for call in ("call-1", "call-2"):
                await audience.until(lambda call=call: [line for line in audience.lines if line.call_id == call][4:])
                mine = [line for line in audience.lines if line.call_id == call]
                assert [(line.stream, line.text) for line in mine] == [
                    ("stdout", "to stdout { a: 1 }"),
                    ("stderr", "to stderr"),
                    ("stdout", "from a timer"),
                    ("stdout", "first and no line end" + "x" * (16384 - 21)),
                    ("stdout", "x" * (20000 - 16384 + 21)),
                ]
                assert all(line.key == order.key and line.replica == order.replica for line in mine)
            for text, stream in (
                ("while loading", "stdout"), ("from a child", "stdout"), ("an error of a child", "stderr")
            ):  # fmt: skip
                line = await audience.line(text)
                assert (line.text, line.stream, line.call_id) == (text, stream, "")

    asyncio.run(main())


@spares
def test_what_is_printed_while_a_spare_loads_is_read_once_it_has_a_name(stage: Any, eventually: Any) -> None:
    source = """
console.log('loaded by', process.pid);
require('node:child_process').execFileSync('echo', ['from a child'], { stdio: 'inherit' });
module.exports = () => '';
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            first = order_of(stage, source)
            await provider.start(first)
            await audience.ready(first.replica)
            await eventually(lambda: len(nodes_below(stage)) == 2)
            second = stage.again(first)
            await provider.start(second)
            await audience.ready(second.replica)
            for text in ("loaded by", "from a child"):
                await audience.until(
                    lambda text=text: [e for e in audience.lines if e.replica == second.replica and text in e.text]
                )

    asyncio.run(main())


def test_a_function_finds_its_environment_and_name(stage: Any, ask: Any) -> None:
    source = """
const fs = require('node:fs');
module.exports = async (event, context) => {
  fs.writeFileSync(`${process.env.TMPDIR}/x-${context.hostname}`, 'written');
  const names = ['GREETING', 'OPENFAAS_NAME', 'HOME', 'NODE_ENV', 'HOSTNAME', 'NODE_CHANNEL_FD'];
  return {
    ...Object.fromEntries(names.map((name) => [name, process.env[name] ?? null])),
    host: context.hostname, name: context.function, namespace: context.namespace, call: context.callId,
    timeout: context.timeoutMs, left: context.remainingMs() > 4000 && context.remainingMs() <= 5000,
    cwd: process.cwd(), send: typeof process.send,
  };
};
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source, env={"GREETING": "hi"}, timeout_s=5.0)
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            answer = await ask(address, headers={"X-Call-Id": "c1"})
            assert answer.status == 200, answer
            assert json.loads(answer.body) == {
                "GREETING": "hi",
                "OPENFAAS_NAME": order.key.name,
                "HOME": "/tmp",
                "NODE_ENV": "production",
                "HOSTNAME": order.replica,
                "NODE_CHANNEL_FD": None,
                "host": order.replica,
                "name": order.key.name,
                "namespace": "openfaas-fn",
                "call": "c1",
                "timeout": 5000,
                "left": True,
                "cwd": str(stage.code(order)),
                "send": "undefined",
            }

    asyncio.run(main())


def test_a_call_that_holds_the_loop_is_ended_after_its_timeout(stage: Any) -> None:
    source = "module.exports = () => { console.log('begun'); for (;;); };\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source, timeout_s=0.5)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            _reader, writer = await connect(ready.address)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            await audience.line("begun")
            writer.close()
            ended = await audience.exited(order.replica)
            assert (ended.reason, "timeout" in ended.detail) == ("timeout", True), ended
            assert (await audience.line("limit: a call held the event loop")).stream == "platform"

    asyncio.run(main())


@hosts
def test_a_call_that_goes_on_after_its_timeout_ends_the_replica_once_others_have_finished(stage: Any, ask: Any) -> None:
    source = """
module.exports = async (event, context) => {
  console.log('begun', event.body);
  await new Promise((resolve) => setTimeout(resolve, Number(event.body)));
  return 'done';
};
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source, timeout_s=0.5)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            _reader, writer = await connect(ready.address)
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\n300000")
            await audience.line("begun 300000")
            writer.close()
            others = []
            with contextlib.suppress(
                OSError, http.client.HTTPException
            ):  # who comes in the moment of its end meets nobody
                while not any("limit:" in line.text for line in audience.lines):
                    others.append(await ask(ready.address, b"20"))
            assert (await audience.line("limit: a call ran for")).stream == "platform"
            assert {answer.body for answer in others} == {b"done"}
            assert (await audience.exited(order.replica)).reason == "timeout"

    asyncio.run(main())


@hosts
def test_a_call_that_heeds_its_signal_costs_no_replica(stage: Any, ask: Any) -> None:
    source = """
const { setTimeout: sleep } = require('node:timers/promises');
module.exports = async (event, context) => {
  if (event.body === 'quick') return 'ok';
  console.log('begun');
  await sleep(300000, undefined, { signal: context.signal }).catch(() => console.log('stopped'));
  return 'nobody reads this';
};
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source, timeout_s=0.3)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            _reader, writer = await connect(ready.address)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            await audience.line("begun")
            writer.close()
            await audience.line("stopped")
            until = asyncio.get_running_loop().time() + 2  # the watch would have ended it by then
            while asyncio.get_running_loop().time() < until:
                assert (await ask(ready.address, b"quick")).body == b"ok"
            assert [type(event) for event in audience.events] == [ReplicaReady]

    asyncio.run(main())


@hosts
def test_a_busy_replica_is_not_taken_for_a_dead_one(stage: Any, ask: Any) -> None:
    source = """
module.exports = (event) => {
  console.log('begun', event.body);
  const until = Date.now() + Number(event.body);
  while (Date.now() < until);
  return 'done';
};
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source, timeout_s=30.0)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            busy = asyncio.create_task(ask(ready.address, b"2500"))
            await audience.line("begun 2500")
            assert (await ask(ready.address, b"1")).body == b"done"
            assert (await busy).body == b"done"
            assert [type(event) for event in audience.events] == [ReplicaReady]

    asyncio.run(main())


def test_a_replica_that_stops_itself_is_found_stuck(stage: Any) -> None:
    source = "module.exports = () => process.kill(process.pid, 'SIGSTOP');\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            _reader, writer = await connect(ready.address)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await audience.exited(order.replica)).reason == "stuck"
            writer.close()

    asyncio.run(main())


def test_sigterm_from_whomever_costs_no_call(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, SLEEPY)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            running = asyncio.create_task(ask(ready.address, b"300"))
            await audience.line("begun")
            for pid in stage.below():
                with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(pid, signal.SIGTERM)
            assert (await running).body == b"done"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("const kept = [];\nmodule.exports = () => { for (;;) kept.push({ a: [kept.length] }); };\n", "heap"),
        ("const kept = [];\nmodule.exports = () => { for (;;) kept.push(Buffer.alloc(1 << 20, 1)); };\n", "memory"),
    ],
    ids=["objects", "buffers"],
)
def test_running_out_of_memory_is_told(stage: Any, source: str, told: str) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source, memory_bytes=96 << 20)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            reader, writer = await connect(ready.address)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert await reader.read() == b""
            writer.close()
            ended = await audience.exited(order.replica)
            assert (ended.reason, told in ended.detail, "96 MiB" in ended.detail) == ("oom", True, True), ended

    asyncio.run(main())


@hosts
def test_garbage_alone_does_not_run_out_of_memory(stage: Any, ask: Any) -> None:
    source = """
module.exports = (event) => {
  for (let round = 0; round < 200; round += 1) Array.from({ length: 50000 }, (_, at) => ({ at }));
  return 'ok';
};
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source, memory_bytes=128 << 20)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            assert (await ask(ready.address)).body == b"ok"

    asyncio.run(main())


def test_limits_that_strike_are_named_as_in_every_language(stage: Any, ask: Any) -> None:
    source = """
const fs = require('node:fs');
module.exports = (event) => {
  if (event.body === 'disk') for (;;) fs.appendFileSync(`${process.env.TMPDIR}/full`, Buffer.alloc(1 << 20));
  const files = [];
  try {
    for (;;) files.push(fs.openSync('/dev/null'));
  } finally {
    files.forEach((file) => fs.closeSync(file));
  }
};
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, source, memory_bytes=256 << 20)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            for limit in ("disk", "files"):
                answer = await ask(ready.address, limit.encode())
                assert (answer.status, json.loads(answer.body)["code"]) == (500, limit), answer
            assert (await audience.line("limit: its /tmp is full")).stream == "platform"

    asyncio.run(main())


@spares
def test_a_spare_that_loaded_from_a_folder_since_cleared_is_replaced(stage: Any, ask: Any, eventually: Any) -> None:
    source = """
const fs = require('node:fs');
fs.writeFileSync(`${process.env.TMPDIR}/model`, 'weights');
module.exports = () => fs.readFileSync(`${process.env.TMPDIR}/model`, 'utf8');
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            first = order_of(stage, source)
            await provider.start(first)
            await audience.ready(first.replica)
            await eventually(lambda: len(nodes_below(stage)) == 2)
            await provider.stop(first.replica, grace_s=5)
            await audience.exited(first.replica)
            for _ in range(2):
                later = stage.again(first)
                await provider.start(later)
                ready = await audience.ready(later.replica)
                assert (await ask(ready.address)).body == b"weights"

    asyncio.run(main())


@spares
def test_replicas_without_a_spare_start_all_the_same(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            first = order_of(stage, HELLO)
            orders = [first, *(stage.again(first) for _ in range(3))]
            for order in orders:
                await provider.start(order)
            for order in orders:
                assert (await ask((await audience.ready(order.replica)).address, b"x")).body == b"hello x"

    asyncio.run(main())


def test_an_interpreter_that_is_not_there_is_told(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(stage, HELLO, interpreter="/usr/bin/no-such-node")
            await provider.start(order)
            ended = await audience.exited(order.replica)
            assert (ended.reason, "cannot be run by this function's user" in ended.detail) == ("start_failed", True)

    asyncio.run(main())


@pytest.mark.local_only("a pod has the Node of its image, wherever the control plane has its own")
def test_a_node_outside_of_the_system_is_shown(stage: Any, ask: Any) -> None:
    assert NODE is not None
    away = stage.folder / "nvm" / "v20"
    (away / "bin").mkdir(parents=True)
    for folder in (stage.folder, away.parent, away, away / "bin"):
        folder.chmod(0o755)
    shutil.copy(os.path.realpath(NODE), away / "bin" / "node")

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = order_of(
                stage,
                "const { execFileSync } = require('node:child_process');\n"
                "module.exports = () => execFileSync('node', ['-p', 'process.execPath']);\n",
                interpreter=str(away / "bin" / "node"),
            )
            await provider.start(order)
            answer = await ask((await audience.ready(order.replica)).address)
            assert answer.body.decode().strip() == str(away / "bin" / "node")

    asyncio.run(main())


@pytest.mark.parametrize("stage", ["kubernetes"], indirect=True)
def test_a_pod_runs_its_own_node_wherever_the_control_planes_is(stage: Any, ask: Any) -> None:
    own = os.path.realpath(shutil.which("node", path=os.defpath) or "")

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            source = "module.exports = () => process.execPath;\n"
            order = order_of(stage, source, interpreter="/opt/of/the/control/plane/node")
            await provider.start(order)
            answer = await ask((await audience.ready(order.replica)).address)
            assert answer.body.decode() == own

    asyncio.run(main())


def nodes_below(stage: Any) -> list[int]:
    """Return the hosts that have a Node program running."""
    found = []
    for pid in stage.below():
        try:
            if Path(f"/proc/{pid}/comm").read_text().startswith("node") and children_of(pid) == []:
                found.append(pid)
        except OSError:
            continue
    return found
