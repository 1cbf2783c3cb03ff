"""What a runtime pod's agent is told by its pod's template.

DAYFLY_CONTROL_KEY          the control plane's public key, as hexadecimal digits
DAYFLY_POD_IP               the pod's address
DAYFLY_FOLDER               a folder of the pod's own that it may write to
DAYFLY_TERMINATION_LOG      where a container leaves its last word
DAYFLY_AGENT_PORT           8081
DAYFLY_FUNCTION_PORT        8080
"""

from collections.abc import Mapping

import msgspec

from dayfly.model.errors import ConfigError
from dayfly.providers.pod.wire import AGENT_PORT, FUNCTION_PORT


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the agent lives and whom it obeys."""

    control_key: str
    host: str
    folder: str
    termination_log: str
    agent_port: int = AGENT_PORT
    function_port: int = FUNCTION_PORT

    @property
    def function_address(self) -> str:
        """Where the replica listens."""
        return f"[{self.host}]:{self.function_port}" if ":" in self.host else f"{self.host}:{self.function_port}"


def read(env: Mapping[str, str]) -> Settings:
    """Return the settings. Raises ConfigError."""
    try:
        return Settings(
            control_key=env["DAYFLY_CONTROL_KEY"],
            host=env["DAYFLY_POD_IP"],
            folder=env["DAYFLY_FOLDER"],
            termination_log=env["DAYFLY_TERMINATION_LOG"],
            agent_port=int(env.get("DAYFLY_AGENT_PORT", AGENT_PORT)),
            function_port=int(env.get("DAYFLY_FUNCTION_PORT", FUNCTION_PORT)),
        )
    except (KeyError, ValueError) as error:
        raise ConfigError(f"the pod's environment lacks {error}: its template is not one of this version") from error
