"""`dayfly dev --debug`: an editor that speaks the debug adapter protocol stops a function in its jail."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_port
from tests.system.author import Author
from tests.system.driver import DEADLINE_S, Platform, Reply, children_of, eventually

HANDLER = "def handle(event, context):\n    x = int(event.text)\n    return str(x + {})\n"


class Editor:
    """What an editor does with a launch.json of `"request": "attach", "connect": {…}`."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self._file = self._sock.makefile("rb")
        self._number = 0

    def request(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Ask and return the body of the answer."""
        return self.wait(self.send(command, **arguments))

    def send(self, command: str, **arguments: Any) -> Callable[[dict[str, Any]], bool]:
        """Ask; return what knows the answer."""
        self._number += 1
        number = self._number
        body = json.dumps({"seq": number, "type": "request", "command": command, "arguments": arguments}).encode()
        self._sock.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        return lambda message: message.get("request_seq") == number

    def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read on until the message that is wanted; return its body."""
        while not wanted(message := self._read()):
            continue
        assert message.get("success", True), message
        body: dict[str, Any] = message.get("body") or {}
        return body

    def event(self, name: str) -> dict[str, Any]:
        """Wait for the event; return its body."""
        return self.wait(lambda message: message.get("event") == name)

    def attach(self, path: Path, line: int) -> dict[str, Any]:
        """Attach with one breakpoint; return what became of it."""
        self.request("initialize", adapterID="python", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
        attached = self.send("attach", name="Dayfly", type="python", request="attach")
        self.event("initialized")
        (found,) = self.request("setBreakpoints", source={"path": str(path)}, breakpoints=[{"line": line}])[
            "breakpoints"
        ]
        self.request("configurationDone")
        self.wait(attached)
        breakpoint_: dict[str, Any] = found
        return breakpoint_

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._sock.close()

    def is_cut_off(self) -> bool:
        """Whether the other side hangs up, whatever it says before."""
        with contextlib.suppress(ConnectionResetError):
            while self._sock.recv(65_536):
                continue
        return True

    def _read(self) -> dict[str, Any]:
        size = 0
        while line := self._file.readline().strip():
            size = int(line.partition(b":")[2])
        assert size, "the adapter hung up"
        message: dict[str, Any] = json.loads(self._file.read(size))
        return message


class Call:
    """A call that may be held for a while."""

    def __init__(self, platform: Platform, body: bytes) -> None:
        self._replies: list[Reply] = []
        self._thread = threading.Thread(
            target=lambda: self._replies.append(platform.ask("POST", "/function/hello", body))
        )
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether it was answered."""
        return bool(self._replies)

    def answer(self) -> bytes:
        """Wait for the answer."""
        self._thread.join(DEADLINE_S)
        assert self._replies
        return self._replies[0].body


@pytest.mark.timeout(180)
def test_an_editor_stops_a_function_by_the_authors_path_and_looks_at_it(scratch: Path) -> None:
    port = free_port()
    author = Author(scratch)
    author.write(HANDLER.format(1))
    path = scratch / "hello" / "handler.py"
    author.start("hello", "--debug", "--debug-port", str(port))
    try:
        author.sees(f"An editor can attach to 127.0.0.1:{port}")
        author.sees("revision 1 answers")
        platform = author.platform()
        assert platform.ask("POST", "/function/hello", b"4").body == b"5", "nobody waits for an editor"

        editor = Editor(port)
        assert editor.attach(path, 2)["verified"]
        call = Call(platform, b"41")
        stopped = editor.event("stopped")
        assert stopped["reason"] == "breakpoint"
        frame = editor.request("stackTrace", threadId=stopped["threadId"])["stackFrames"][0]
        assert (frame["name"], frame["line"], frame["source"]["path"]) == ("handle", 2, str(path))
        assert editor.request("evaluate", expression="event.text", frameId=frame["id"])["result"] == "'41'"
        assert not call.is_over
        editor.request("continue", threadId=stopped["threadId"])
        assert call.answer() == b"42"
        editor.request("disconnect", terminateDebuggee=False)
        editor.close()
        assert platform.ask("POST", "/function/hello", b"4").body == b"5", "the editor is gone"

        again = Editor(port)
        assert again.attach(path, 3)["verified"]
        held = Call(platform, b"1")
        again.event("stopped")
        author.write(HANDLER.format(2))
        assert again.is_cut_off()
        assert held.answer() == b"2", "it goes on when its debugger is gone"
        again.close()
        author.sees("revision 2 answers")

        third = Editor(port)
        assert third.attach(path, 3)["verified"]
        call = Call(platform, b"1")
        third.event("stopped")
        third.request("disconnect", terminateDebuggee=False)
        assert call.answer() == b"3"
        third.close()
        spec = platform.describe("hello")["spec"]
        assert (spec["timeout"], spec["labels"]["com.openfaas.scale.max"]) == ("24h", "1")
        everything = children_of(author.pid)
    finally:
        code = author.end()
    assert code == 0, author.text
    author.left_nothing(everything)
    eventually("the adapter is gone", lambda: not _listens(port))


def test_a_port_that_is_taken_is_told_and_the_function_not_deployed(shared_platform: Platform, scratch: Path) -> None:
    author = Author(scratch)
    author.write(HANDLER.format(1))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        author.start("hello", "--debug", "--debug-port", port, DAYFLY_DATA_DIR=str(shared_platform.data_dir))
        try:
            author.sees(f"No editor can be waited for at 127.0.0.1:{port}")
            author.sees("--debug-port names another port")
        finally:
            assert author.end() == 0
    assert "hello" not in shared_platform.ok("list", "--output", "name").split()


def test_one_function_at_a_time_is_debugged(scratch: Path) -> None:
    author = Author(scratch)
    for name in ("one", "two"):
        author.write(HANDLER.format(1), f"{name}/handler.py")
    author.start("one", "two", "--debug")
    assert author.ended() == 64
    assert "name one of one, two" in author.text


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
