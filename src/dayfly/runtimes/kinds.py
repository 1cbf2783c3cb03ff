"""Which module makes ready to serve for which runtime.

The zygote imports all of them before it forks anything: a jail shows the system and the function's code, and nothing of
the platform's that could be imported later.
"""

from collections.abc import Mapping

from dayfly.model.runtime import Runtime
from dayfly.runtimes.exec import watchdog
from dayfly.runtimes.http import program
from dayfly.runtimes.node import hosts
from dayfly.runtimes.python import loader
from dayfly.runtimes.python.replica import Prepare
from dayfly.runtimes.static import site

RUNTIMES: Mapping[Runtime, Prepare] = {
    "python": loader.load,
    "node": hosts.prepare,
    "exec": watchdog.prepare,
    "http": program.prepare,
    "static": site.prepare,
}
