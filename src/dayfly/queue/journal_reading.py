"""Reading many notes of a journal at a time, from any server that has them; one that lacks some is found out."""

import contextlib
import json
from collections.abc import Mapping
from typing import NamedTuple

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from dayfly.queue.connection import REQUEST_S

_BATCH = 500


class Message(NamedTuple):
    """What the server has."""

    number: int
    headers: Mapping[str, str]
    data: bytes


async def messages(
    context: JetStreamContext, stream: str, subject: str, after: int, upto: int
) -> tuple[list[Message], bool]:
    """Return the first messages of the subject behind a number, and whether there are more.

    Raises TimeoutError from a server that has not all of them up to `upto`.
    """
    client, found = context._nc, list[Message]()
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    try:
        asked = {"batch": _BATCH, "seq": after + 1, "next_by_subj": subject}
        await client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(asked).encode(), reply=inbox)
        while True:
            answer = await answers.next_msg(REQUEST_S)
            headers = answer.headers or {}
            if "Nats-Sequence" not in headers:
                break
            found.append(Message(int(headers["Nats-Sequence"]), headers, answer.data))
    finally:
        with contextlib.suppress(nats.errors.Error):  # the connection is gone, and with it the subscription
            await answers.unsubscribe()
    is_more = headers.get("Status") == "204" and headers.get("Nats-Num-Pending", "0") != "0"
    if not is_more and (found[-1].number if found else after) < upto:
        raise TimeoutError("a server of the queue is behind the others")
    return found, is_more


async def last_heads(
    context: JetStreamContext, stream: str, pattern: str, owner: str, claim: int
) -> dict[str, tuple[int, Mapping[str, str]]]:
    """Return number and headers of the last message of each subject; `claim` is the one we own the stream by.

    Raises TimeoutError from a server that has not heard of that.
    """
    config = ConsumerConfig(
        headers_only=True, ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
        mem_storage=True, inactive_threshold=30.0, filter_subjects=[pattern, owner],
    )  # fmt: skip
    reader = await context.pull_subscribe(owner, stream=stream, config=config)
    found: dict[str, tuple[int, Mapping[str, str]]] = {}
    while True:
        batch = await reader.fetch(_BATCH, timeout=REQUEST_S)
        for each in batch:
            found[each.subject] = (each.metadata.sequence.stream, each.headers or {})
        if not batch[-1].metadata.num_pending:
            await reader.unsubscribe()
            break
    if found.pop(owner, (0,))[0] < claim:  # a server that has heard of our taking over has heard of all before
        raise TimeoutError("a server of the queue is behind the others")
    return found
