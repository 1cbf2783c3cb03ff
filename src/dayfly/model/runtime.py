"""Runtimes: how code becomes a replica.

| runtime | a replica is |
|---|---|
| `python` | a fork of a process that has imported the handler |
| `node` | a Node.js process that has loaded the handler |
| `exec` | a host that starts `process` once a call, as OpenFaaS's classic watchdog does |
| `http` | the program `process`, which serves HTTP on `$PORT` and stays |
| `static` | a host that answers with the files of the bundle |
| `image` | a container of `image`, which serves HTTP on port 8080 |
"""

from typing import Literal

Runtime = Literal["python", "node", "exec", "http", "static", "image"]

RUN_A_PROCESS: frozenset[Runtime] = frozenset({"exec", "http"})
"""Those that have to be told which program to run."""
