"""A browser of the tests does not hear of interfaces that other tests have come and go."""

import subprocess
import sys

from tests.system import still_network

LISTENS = """
import socket
socket.create_server(("127.0.0.1", 0)).close()
try:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
except OSError as error:
    print(error.strerror)
"""


def test_a_program_cannot_listen_for_interfaces_and_has_the_network_all_the_same() -> None:
    command = [sys.executable, still_network.__file__, sys.executable, "-c", LISTENS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "Address family not supported by protocol\n"
