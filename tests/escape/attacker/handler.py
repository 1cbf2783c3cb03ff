"""A function that tries to get out. What to try, and on what, comes with the call; it tells how far it got.

Every action is harmless on a target of the function's own, which is how it shows that it would have worked.
"""

import ctypes
import errno
import mmap
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request

SECRETS = "/var/openfaas/secrets/"
libc = ctypes.CDLL(None, use_errno=True)


def handle(event, context):
    asked = event.json()
    try:
        told = ACTIONS[asked["action"]](*asked.get("args", ()))
    except MemoryError:
        return {"outcome": "MemoryError"}
    except OSError as error:
        return {"outcome": errno.errorcode.get(error.errno, str(error)) if error.errno else repr(error)}
    return {"outcome": "done", "told": told}


def read(path):
    with open(path, "rb") as file:
        return len(file.read(100))


def own_file():
    path = os.path.join(os.environ["TMPDIR"], "own")
    with open(path, "w") as file:
        file.write("mine")
    return path


def read_by_link(path):
    link = os.path.join(os.environ["TMPDIR"], "link")
    if os.path.lexists(link):
        os.unlink(link)
    os.symlink(path, link)
    return read(link)


def write(path):
    with open(path, "w") as file:
        return file.write("x")


def listing(path, wanted):
    names = os.listdir(path)
    if wanted and wanted not in names:
        raise FileNotFoundError(errno.ENOENT, "it is not seen")


def unix(address):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect("\0" + address[1:] if address.startswith("@") else address)
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:  # there, and of another kind
                raise


def own_unix(abstract):
    name = os.path.join(os.environ["TMPDIR"], "own.sock")
    if os.path.exists(name):
        os.unlink(name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind("\0own" if abstract else name)
        listener.listen()
        return unix("@own" if abstract else name)


def tcp(host, port):
    socket.create_connection((host, port), timeout=2).close()


def own_tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tcp("127.0.0.1", listener.getsockname()[1])


def bind(port):
    global kept
    kept = socket.create_server(("0.0.0.0", port))
    return kept.getsockname()[1]


def udp(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"exfiltrated", (host, port))


def signal_all(pids):
    return any_of(lambda pid: os.kill(pid, 0), pids)


def own_child():
    pid = os.fork()
    if pid == 0:
        signal.pause()
    try:
        return signal_all([pid])
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def environ_of(pids):
    return any_of(lambda pid: nonempty(f"/proc/{pid}/environ"), pids)


def cmdline_of(pids):
    return any_of(lambda pid: nonempty(f"/proc/{pid}/cmdline"), pids)


def memory_of(pids):
    return any_of(lambda pid: open(f"/proc/{pid}/mem", "rb").close(), pids)


def orders_of(pids):
    """Read the memory files that start orders travel in, from whoever holds them."""
    return any_of(lambda pid: held_by(pid, "dayfly-order"), pids)


def own_memory_file():
    kept = os.memfd_create("own")
    os.write(kept, b"mine")
    try:
        return held_by("self", "own")
    finally:
        os.close(kept)


def held_by(pid, name):
    for fd in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{fd}"
        if os.path.lexists(path) and f"memfd:{name}" in os.readlink(path):
            return read(path)
    raise FileNotFoundError(errno.ENOENT, "none is held")


def secret_of(pids, name):
    return any_of(lambda pid: read(f"/proc/{pid}/root" + SECRETS + name), pids)


def own_secret(name):
    return read(os.path.join(os.environ["DAYFLY_SECRETS"], name))


def write_own_secret(name):
    return write(os.path.join(os.environ["DAYFLY_SECRETS"], name))


def root_of(pids):
    return any_of(lambda pid: os.listdir(f"/proc/{pid}/root/"), pids)


def nonempty(path):
    if not read(path):
        raise PermissionError(errno.EACCES, "nothing in it")


def any_of(action, pids):
    """Succeed when it works for one of them."""
    failure = OSError(errno.ESRCH, "nobody")
    for pid in pids or [os.getpid()]:
        try:
            return action(pid)
        except OSError as error:
            failure = error
    raise failure


def call(number, *arguments):
    if libc.syscall(ctypes.c_long(number), *(ctypes.c_long(each) for each in arguments)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def call_each(pids, number, *arguments):
    return any_of(lambda pid: call(number, *(pid if each == "pid" else each for each in arguments)), pids)


def read_memory(pids):
    """Read the memory of others by process_vm_readv, which needs the right of a debugger."""

    class Piece(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    source, here = ctypes.create_string_buffer(8), ctypes.create_string_buffer(8)
    local, remote = Piece(ctypes.addressof(here), 8), Piece(ctypes.addressof(source), 8)

    def look(pid):
        if libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) < 0:
            raise OSError(ctypes.get_errno(), "process_vm_readv")

    return any_of(look, pids)


def mount():
    if libc.mount(b"none", os.environ["TMPDIR"].encode(), b"tmpfs", 0, None) < 0:
        raise OSError(ctypes.get_errno(), "mount")


def make_socket(family, kind):
    socket.socket(family, kind).close()


def fork(most):
    reader, writer = os.pipe()
    children = []
    try:
        while len(children) < most:
            pid = os.fork()
            if pid == 0:
                os.close(writer)
                os.read(reader, 1)
                os._exit(0)
            children.append(pid)
    finally:
        os.close(writer)
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        for pid in children:
            os.waitpid(pid, 0)
        os.close(reader)
    return len(children)


def allocate(size):
    return len(bytearray(size))


HELD_S = 0.8
"""For how long what was taken is kept: somebody may have to look first."""


def share(size):
    held = mmap.mmap(-1, size)
    for at in range(0, size, 4096):
        held[at] = 1
    time.sleep(HELD_S)


def memory_file(size):
    fd = os.memfd_create("hoard")
    try:
        for _ in range(size >> 20):
            os.write(fd, bytes(1 << 20))
        time.sleep(HELD_S)
    finally:
        os.close(fd)


def allocate_by_forks(children, size):
    """Have children that hold memory each; fail when one of them could not, or was ended for it."""
    reader, writer = os.pipe()
    made = []
    for _ in range(children):
        pid = os.fork()
        if pid == 0:
            try:
                os.close(writer)
                held = bytearray(b"x" * size)
                os.read(reader, 1)
                os._exit(len(held) != size)
            finally:
                os._exit(1)
        made.append(pid)
    time.sleep(HELD_S)
    os.close(writer)
    ended = [os.waitpid(pid, 0)[1] for pid in made]
    if any(ended):
        raise OSError(errno.ENOMEM, "a child had no room")


def bomb(seconds):
    """Fork without end, and forget about it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if os.fork() == 0:
                time.sleep(300)
                os._exit(0)
        except OSError:
            time.sleep(0.01)


def spin(children):
    """Hold all processors, in a tree of processes."""
    for _ in range(children):
        if os.fork() == 0:
            break
    while True:
        pass


def ignore(seconds):
    """Heed no signal that can be ignored; from any thread, unlike Python's own."""
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    for number in range(1, signal.SIGRTMAX + 1):
        libc.signal(number, ctypes.c_void_p(1))
    time.sleep(seconds)


def one_file(size):
    path = os.path.join(os.environ["TMPDIR"], "large")
    try:
        with open(path, "wb") as file:
            file.truncate(size)
    finally:
        os.unlink(path)


def fill(size):
    path = os.path.join(os.environ["TMPDIR"], "fill")
    piece = bytes(1 << 20)
    try:
        with open(path, "wb", buffering=0) as file:
            for _ in range(size >> 20):
                file.write(piece)
    finally:
        os.unlink(path)


def open_many(most):
    files = []
    try:
        while len(files) < most:
            files.append(os.open("/dev/null", os.O_RDONLY))
    finally:
        for fd in files:
            os.close(fd)


def by_proxy(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read(300).decode()
    except urllib.error.HTTPError as error:
        if error.code in (401, 404):
            return str(error.code)
        raise OSError(f"{error.code}: {error.read(300).decode()}") from None
    except urllib.error.URLError as error:
        raise OSError(f"{error.reason}") from None


def daemon(mark):
    """Leave a process behind that hides in a session of its own, heeds no signal and knows no parent."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", mark])
        os._exit(0)
    os.wait()


def search(backwards):
    needle = backwards.encode()[::-1]
    found = 0
    with open("/proc/self/maps") as maps:
        regions = [line.split() for line in maps if "[v" not in line]
    for where, rights, *_ in regions:
        if rights.startswith("rw"):
            start, end = (int(part, 16) for part in where.split("-"))
            found += ctypes.string_at(start, end - start).count(needle)
    return found


def inspect():
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file if ":" in line)
    links = {
        os.readlink(f"/proc/self/fd/{fd}")
        for fd in os.listdir("/proc/self/fd")
        if os.path.lexists(f"/proc/self/fd/{fd}")
    }
    fields = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    return {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "pids": [int(pid) for pid in os.listdir("/proc") if pid.isdigit()],
        "environ": dict(os.environ),
        "files": sorted(links),
        "host": socket.gethostname(),
        **{name: status[name].strip() for name in fields if name in status},
    }


ACTIONS = {name: value for name, value in globals().items() if callable(value) and name != "handle"}
