"""Why a function does not start, told in its log and to the zygote."""

import socket
import traceback

from dayfly.model.replica import StartOrder
from dayfly.runtimes.python import debugger, output
from dayfly.runtimes.python.calls import Facts
from dayfly.runtimes.python.handler import HandlerUnfit
from dayfly.runtimes.python.replica import Berth, receive

MAX_LINES = 200
MAX_CHARACTERS = 12_000


def refuse(channel: socket.socket, first: Berth, verdict: bytes, lines: list[str]) -> None:
    """Say why to the log of every replica that waits, then to the zygote."""
    berth: Berth | None = first
    channel.setblocking(False)
    while berth is not None:
        output.LogPipe(berth.log).line("x", "", output.failure_text(lines))
        try:
            berth = receive(channel)
        except BlockingIOError:
            break
    channel.setblocking(True)
    channel.send(verdict)


def explain(error: BaseException, order: StartOrder) -> list[str]:
    """Return the traceback from the function's own frames on, cut to a size that fits one log frame."""
    if isinstance(error, (HandlerUnfit, debugger.DebuggerAway)):
        return [str(error)]
    frames = error.__traceback__
    while frames is not None and not frames.tb_frame.f_code.co_filename.startswith(order.code_dir):
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames or error.__traceback__))
    text = Facts(order).as_author_knows_it(text)
    return text[-MAX_CHARACTERS:].rstrip("\n").split("\n")[-MAX_LINES:]
