"""The operator: changes of the platform through its API, each in the ledger before it is asked for and when it is done.

The checker takes from this ledger what must be true afterwards: the last acknowledged change of each function, and
those after it that were asked for and never answered, which may have happened or not.
"""

import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from chaos.background import Background
from chaos.box import FUNCTIONS, Box, BoxBroken
from chaos.ledger import Acknowledged, Asked, Ledger, Refused
from dayfly.client import pack
from dayfly.model.errors import DayflyError, NotFound
from dayfly.model.function import FunctionSpec

_AWAY_S = 0.2


class Operator:
    """Makes changes, one after another, and writes them down. Close it, or use it in a `with` block."""

    def __init__(self, box: Box, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "changes.jsonl"
        self._box = box
        self._ledger = Ledger(self.path)
        self._bundle = pack(FUNCTIONS / "echo")
        self._last = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._ledger.close()

    def deploy(self, name: str, version: str, *, replicas: int = 1, **spec: object) -> int:
        """Deploy `echo` under this name with `VERSION` set; return the revision, 0 when it was not acknowledged."""
        labels = {"com.openfaas.scale.min": str(replicas), "com.openfaas.scale.max": str(max(replicas, 4))}
        wanted = FunctionSpec(name=name, bundle=self._bundle.digest, labels=labels, env={"VERSION": version}, **spec)  # type: ignore[arg-type] # fields by name, checked by the platform

        def change() -> int:
            self._box.client.upload(self._bundle)
            return self._box.client.deploy(wanted).revision

        return self._change("deploy", name, version, change)

    def deploy_by_command(self, name: str, folder: Path, version: str, *, replicas: int = 1) -> int:
        """Deploy the folder by `dayfly deploy`, which waits until it is ready; return the revision, 0 for a refusal."""
        labels = (f"com.openfaas.scale.min={replicas}", f"com.openfaas.scale.max={max(replicas, 4)}")
        command = ["deploy", name, "--handler", str(folder), "--env", f"VERSION={version}"]
        command += [word for label in labels for word in ("--label", label)]

        def change() -> int:
            done = self._box.run(*command)
            if done.code:
                raise BoxBroken(f"dayfly deploy ended with {done.code}: {done.err.strip()[-300:]}")
            return self._box.client.get_function(name).revision

        return self._change("deploy", name, version, change)

    def scale(self, name: str, replicas: int) -> bool:
        """Set the number of replicas; return whether it was acknowledged."""
        return self._change("scale", name, str(replicas), lambda: self._box.client.scale(name, replicas).revision) > 0

    def remove(self, name: str) -> bool:
        """Remove the function; return whether it was acknowledged."""

        def change() -> int:
            self._box.client.remove(name)
            return 1

        return self._change("remove", name, "", change) > 0

    def _change(self, verb: str, name: str, value: str, change: Callable[[], int]) -> int:
        self._last += 1
        number = self._last
        self._ledger.note(Asked(number, verb, name, time.monotonic(), value))
        self._ledger.settle()
        try:
            revision = change()
        except NotFound as error:
            self._ledger.note(Refused(number, time.monotonic(), str(error), certain=True))
            return 0
        except (DayflyError, BoxBroken) as error:
            self._ledger.note(Refused(number, time.monotonic(), f"{type(error).__name__}: {error}"))
            time.sleep(_AWAY_S)
            return 0
        self._ledger.note(Acknowledged(number, time.monotonic(), revision))
        self._ledger.settle()
        return revision


class Churn(Background):
    """An operator that never rests: deploys, scales and removes functions of its own until it is stopped."""

    def __init__(self, operator: Operator, seed: int, names: Iterable[str], pause_s: float = 0.2) -> None:
        super().__init__("churn", pause_s)
        self._operator = operator
        self._random = random.Random(seed)
        self._names = list(names)

    def step(self) -> None:
        """Make one change."""
        name, version = self._random.choice(self._names), str(self._random.randrange(10**6))
        verb = self._random.choices(("deploy", "scale", "remove"), (5, 3, 2))[0]
        if verb == "deploy":
            self._operator.deploy(name, version, replicas=0)
        elif verb == "scale":
            self._operator.scale(name, self._random.randint(0, 2))
        else:
            self._operator.remove(name)
