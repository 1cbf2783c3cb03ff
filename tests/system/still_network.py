"""Run a program that never hears of an interface of the machine: `still_network.py PROGRAM …`.

A browser breaks off what it is asking for when one comes or goes, as containers and sandboxes of other tests have them
do all the time; one that cannot listen for them takes the network for what it was.
"""

import errno
import os
import platform
import sys

from dayfly.runtimes.jail import bpf, calls

_SOCKET = {"x86_64": 41, "aarch64": 198}
_NETLINK = 16


def listen_to_nothing() -> None:
    """Refuse this process, and all it starts, sockets by which the kernel tells of interfaces. Raises OSError."""
    no = [bpf.verdict(bpf.fail(errno.EAFNOSUPPORT))]
    look = [bpf.load_argument(0), *bpf.when_equal(_NETLINK, no), bpf.verdict(bpf.ALLOW)]
    instructions = [bpf.load(bpf.NUMBER), *bpf.when_equal(_SOCKET[platform.machine()], look), bpf.verdict(bpf.ALLOW)]
    calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
    calls.load_filter(bpf.assemble(instructions))


if __name__ == "__main__":
    listen_to_nothing()
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - what the tests say
