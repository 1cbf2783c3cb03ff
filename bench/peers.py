"""What a user would run in place of Dayfly: Python web servers with the same no-op, all from package registries.

Each runs as one process with the number of threads that its documentation starts from, because a function with one
replica is one process too. Access logs are off, as they are on our side; every other setting is the server's default.
gunicorn gets its threaded worker: its default one closes each connection after a single answer.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from bench.programs import Program
from bench.tools import rivals_python

APPS = Path(__file__).parent / "apps"


class Peer(msgspec.Struct, frozen=True):
    """A server to compare with; `{port}` in its command is where it has to listen."""

    name: str
    command: tuple[str, ...]

    def start(self, port: int, scratch: Path, environ: Mapping[str, str]) -> Program:
        """Start it on loopback `port` and return once it listens. Raises ToolMissing, ProgramFailed."""
        command = [rivals_python(), *(part.format(port=port) for part in self.command)]
        program = Program(self.name, command, log=scratch / f"{self.slug}.log", environ=environ, cwd=APPS)
        try:
            program.wait_for_port(port)
        except BaseException:
            program.stop()
            raise
        return program

    @property
    def slug(self) -> str:
        """The name as a file name."""
        return self.name.lower().replace(" ", "-")


FLASK_WAITRESS = Peer(
    "Flask on waitress", ("-m", "waitress", "--listen=127.0.0.1:{port}", "--threads=4", "flask_app:app")
)
PEERS = (
    FLASK_WAITRESS,
    Peer(
        "Flask on gunicorn",
        ("-m", "gunicorn", "--bind=127.0.0.1:{port}", "--worker-class=gthread", "--threads=4", "flask_app:app"),
    ),
    Peer(
        "FastAPI on uvicorn",
        ("-m", "uvicorn", "--host=127.0.0.1", "--port={port}", "--no-access-log", "fastapi_app:app"),
    ),
    Peer(
        "bare ASGI on granian",
        ("-m", "granian", "--interface=asgi", "--host=127.0.0.1", "--port={port}", "asgi_app:app"),
    ),
    Peer(
        "functions-framework",
        (
            "-m",
            "functions_framework",
            "--target=handle",
            "--source=framework_app.py",
            "--host=127.0.0.1",
            "--port={port}",
        ),
    ),
)
