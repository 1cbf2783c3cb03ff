"""Says before the tests which of them this machine cannot run, and what would change that.

In CI, `CI=true`, what the page and the history are judged by has to be there: without it this ends with 1.
"""

import os
import shutil
import sys
from pathlib import Path

from dayfly.client.building import is_there
from dayfly.client.templates import built_in

JUDGES = (
    ("/usr/bin/chromium", "chromium", "the console's page in a browser"),
    ("npm", "nodejs npm", "building the console's page anew, and what axe-core says of it"),
    ("prometheus", "prometheus", "comparing PromQL with a real Prometheus, and reading from one"),
    ("prometheus-alertmanager", "prometheus-alertmanager", "alerts to and from a real Alertmanager"),
    ("promtool", "prometheus", "what Prometheus's own tool says of deploy/"),
)
"""Programs that must not be missed without a word, the packages they are in, and what they are needed for."""


def main() -> int:
    """Print one line for each thing that is left out; return whether the tests would judge too little."""
    print("left out: attacks on the sandbox's lesser tiers, which `make test-escape` tries")
    if os.geteuid() != 0:
        print("left out: functions that run as users of their own, which only root can start")
        print("left out: full and read-only disks, which only root can mount")
    for program, what in (("strace", "kills and errors at chosen system calls"), ("faketime", "a clock that jumps")):
        if shutil.which(program) is None:
            print(f"left out: {what}; as root, `apt-get install {program}` changes that")
    servers = (
        ("mosquitto", "mosquitto", "MQTT broker"),
        ("rabbitmqctl", "rabbitmq-server", "RabbitMQ"),
        ("redis-server", "redis-server", "Redis"),
        ("postgresql", "postgresql", "PostgreSQL"),
    )
    for program, package, what in servers:
        there = shutil.which(program) or shutil.which(program, path="/usr/sbin")
        if not there and not Path("/usr/lib", program).is_dir():
            print(f"left out: events from a real {what}; as root, `apt-get install {package}` changes that")
    missed = [(package, what) for program, package, what in JUDGES if shutil.which(program) is None]
    for package, what in missed:
        print(f"left out: {what}; as root, `apt-get install {package}` changes that")
    if not (Path(sys.prefix) / "charts").is_dir():
        print("left out: the chart in the real Helm, which is there for Linux on x86-64 only")
    for template in built_in():
        if template.runtime != "image" and not is_there(template):
            print(f"left out: functions in {template.name}, which need {template.needs}")
    return int(bool(missed) and os.environ.get("CI") == "true")


if __name__ == "__main__":
    sys.exit(main())
