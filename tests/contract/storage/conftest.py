"""What the stores that live in nats-server stand on."""

from tests.contract.queue.conftest import nats_server

__all__ = ["nats_server"]
