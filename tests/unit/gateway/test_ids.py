"""Call ids are UUIDs and never repeat."""

import uuid

from dayfly.gateway.headers import ClientHeaders
from dayfly.gateway.ids import BATCH, Ids, call_id


def test_ids_are_random_uuids_and_carry_a_trace() -> None:
    ids = Ids()
    seen = set()
    for _ in range(BATCH * 2 + 3):
        ident = ids.take()
        text = call_id(ident).decode()
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)
        assert ident[0] == b"X-Call-Id: %b\r\n" % text.encode()
        assert ident[1].startswith(ident[0] + b"traceparent: 00-" + parsed.hex.encode() + b"-")
        trace = ident[1].split(b"\r\n")[1].partition(b": ")
        assert ClientHeaders([(trace[0], trace[2])]).trace
        seen.add(text)
    assert len(seen) == BATCH * 2 + 3


def test_all_variants_are_valid() -> None:
    for byte in range(256):
        parsed = uuid.UUID(call_id(Ids(lambda size, byte=byte: bytes([byte]) * size).take()).decode())  # type: ignore[misc]
        assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)
