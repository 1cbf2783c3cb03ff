"""A bad neighbour: each word in the body is one way of taking more than its share."""

import ctypes
import mmap
import os
import signal
import sys
import time

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)


def memory():
    held = mmap.mmap(-1, 2 * 64 << 20)
    for at in range(0, len(held), 4096):
        held[at] = 1


def forks():
    while True:
        if os.fork() == 0:
            time.sleep(300)
            os._exit(0)


def spin():
    def turn():
        until = time.monotonic() + 5
        while time.monotonic() < until:
            pass

    for _ in range(7):
        if os.fork() == 0:
            turn()
            os._exit(0)
    turn()


def descriptors():
    held = []
    try:
        while len(held) < 10_000:
            held.append(os.open("/dev/null", os.O_RDONLY))
    finally:
        for fd in held:
            os.close(fd)


def log():
    block = (b"x" * 199 + b"\n") * 500
    until = time.monotonic() + 3
    while time.monotonic() < until:
        try:
            os.write(1, block)
        except BlockingIOError:
            time.sleep(0.0005)


def disk():
    with open("/tmp/big", "wb") as file:
        for _ in range(4096):
            file.write(bytes(1 << 20))


def files():
    for number in range(100_000):
        with open(f"/tmp/{number}", "wb"):
            pass


def stop():
    os.kill(os.getpid(), signal.SIGSTOP)


def stay():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(300)
        os._exit(0)
    ctypes.PyDLL(None).sleep(300)


def handle(event, context):
    if event.text in ("memory", "forks", "spin", "descriptors", "log", "disk", "files", "stop", "stay"):
        getattr(sys.modules[__name__], event.text)()
    return "done"
