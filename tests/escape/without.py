"""Run a program on a kernel that refuses layers of the sandbox: `without.py LAYER,LAYER PROGRAM …`.

The refusals are those that machines give: no namespaces is what a container's usual seccomp profile does.
"""

import errno
import os
import platform
import sys

from dayfly.runtimes.jail import bpf, calls, seccomp

_SECCOMP = {"x86_64": 317, "aarch64": 277}[platform.machine()]


def main(layers: list[str], argv: list[str]) -> None:
    numbers = seccomp.refused()
    looked = seccomp._LOOKED_INTO[platform.machine()]
    instructions = [bpf.load(bpf.NUMBER)]
    if "namespaces" in layers:
        for name in ("unshare", "mount", "setns"):
            instructions += bpf.when_equal(numbers[name], [bpf.verdict(bpf.fail(errno.EPERM))])
        flags = [bpf.load_argument(0), *bpf.when_any_set(seccomp._NAMESPACES, [bpf.verdict(bpf.fail(errno.EPERM))])]
        instructions += bpf.when_equal(looked["clone"], [*flags, bpf.verdict(bpf.ALLOW)])
        instructions += bpf.when_equal(435, [bpf.verdict(bpf.fail(errno.ENOSYS))])
    if "landlock" in layers:
        refusal = [bpf.verdict(bpf.fail(errno.EOPNOTSUPP))]
        instructions += bpf.when_equal(calls.LANDLOCK_CREATE_RULESET, refusal)
    if "seccomp" in layers:
        instructions += bpf.when_equal(_SECCOMP, [bpf.verdict(bpf.fail(errno.EINVAL))])
    calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
    calls.load_filter(bpf.assemble([*instructions, bpf.verdict(bpf.ALLOW)]))
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(sys.argv[1].split(","), sys.argv[2:])
