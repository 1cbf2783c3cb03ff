"""A replica without a zygote: one function, loaded and served in a process of its own, for `dayfly run`.

Run as `python -I -S once.py --order FD --listener FD --log FD --channel FD --path FOLDER …`, with descriptors such as
the zygote would make. What the function finds around it is what it finds on the platform, from the standard library to
what it may import; nothing holds it in a box.
"""

import argparse
import os
import sys


def main(argv: list[str]) -> int:
    """Serve until the other end of the channel is closed; return the exit code."""
    parser = argparse.ArgumentParser(prog="dayfly-once")
    for name in ("order", "listener", "log", "channel", "parent"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--path", action="append", default=[])
    given = parser.parse_args(argv)
    sys.path += given.path
    from dayfly.runtimes.kinds import RUNTIMES
    from dayfly.runtimes.python import confine, output, template, wire
    from dayfly.runtimes.python.refusing import explain
    from dayfly.runtimes.python.replica import Berth
    from dayfly.runtimes.python.surroundings import surround
    from dayfly.runtimes.python.zygote import forget_ours

    confine.die_with_parent()
    if os.getppid() != given.parent:
        return 0
    forget_ours(given.path)
    pipe = output.install(given.log)
    order = wire.read_order(given.order)
    os.close(given.order)
    surround(order)
    try:
        ready = RUNTIMES[order.runtime](order)
    except BaseException as error:  # whatever somebody's import raises, SystemExit too, is an answer to report
        pipe.line("x", "", output.failure_text(explain(error, order)))
        return 1
    berth = Berth(order.replica, given.listener, given.log, given.channel)
    free = confine.Confined(missing=(), tmp=os.environ["TMPDIR"], environ={}, own_net=False)
    statuses: list[int] = []
    code = template.live(ready, order, berth, free, statuses.append)
    return abs(os.waitstatus_to_exitcode(statuses[0])) if statuses else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
