"""The channel to a host: what it says is heard whole and in order, and nonsense from function code does no harm."""

import array
import json
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.runtimes.node.channel import MAX_MESSAGE_BYTES, HostChannel


def pair() -> tuple[HostChannel, socket.socket]:
    near, far = socket.socketpair()
    return HostChannel(near), far


def test_words_are_heard_in_order_however_they_are_cut() -> None:
    ears, host = pair()
    data = b'{"word":"loaded"}\n{"word":"failed","lines":["a","b"]}\n'
    heard = []
    for start in range(0, len(data), 7):
        host.send(data[start : start + 7])
        heard += list(ears.receive())
    assert heard == [("loaded", []), ("failed", ["a", "b"])]
    host.close()
    with pytest.raises(EOFError):
        list(ears.receive())
    ears.close()


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_nonsense_is_passed_over(pieces: list[bytes]) -> None:
    ears, host = pair()
    with host:
        host.send(b"\n".join([b"", *pieces, b""]) + b'{"word":"runs","lines":7}\n')
        assert list(ears.receive())[-1] == ("runs", [])
    ears.close()


def test_a_line_without_end_is_not_kept() -> None:
    ears, host = pair()
    with host:
        for _ in range(8):
            host.send(b"[" * 50_000)
            list(ears.receive())
        assert len(ears._rest) <= MAX_MESSAGE_BYTES
        host.send(b'\n{"word":"rests"}\n')
        assert list(ears.receive()) == [("rests", [])]
    ears.close()


def test_a_descriptor_travels_as_node_wraps_it() -> None:
    ears, host = pair()
    reader, writer = os.pipe()
    ears.send("LOG", writer)
    ears.send("DRAIN")
    data, ancillary, _, _ = host.recvmsg(4096, socket.CMSG_SPACE(array.array("i").itemsize))
    wrapped = json.loads(data.split(b"\n")[0])
    assert wrapped == {"cmd": "NODE_HANDLE", "type": "net.Native", "msg": {"cmd": "NODE_DAYFLY_LOG"}}
    (passed,) = array.array("i", ancillary[0][2])
    os.write(passed, b"x")
    assert os.read(reader, 1) == b"x"
    rest = data.split(b"\n")[1] or host.recv(4096).strip()
    assert json.loads(rest) == {"cmd": "NODE_DAYFLY_DRAIN"}
    for fd in (reader, writer, passed):
        os.close(fd)
    host.close()
    ears.send("DRAIN")  # to nobody: its end will be seen otherwise
    ears.close()
