"""What a pod of ours is told by its manifest, and the place that its process makes of it.

Settings that one machine takes from DAYFLY_ variables are taken from the pod's, too; where a pod listens is not among
them. Files and sockets lie in the pod's own folder and are as lasting as the pod.
"""

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from dayfly.model.errors import ConfigError
from dayfly.model.sandbox import Sandbox
from dayfly.queue.access import Access
from dayfly.queue.binary import Server
from dayfly.queue.server import ACCESS
from dayfly.runtimes.jail.layers import Layers
from dayfly.server.cluster import names
from dayfly.server.cluster.renewal import Renewal
from dayfly.server.folders import prepare_data_dir, prepare_run_dir
from dayfly.server.settings import Settings, StartOptions
from dayfly.server.traces import write_private
from dayfly.server.wiring import Place, settings_file

_ELSEWHERE = "another pod"
"""In place of the path of a nats-server of our own."""


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod of ours, as its manifest has it."""

    name: str
    namespace: str
    environ: dict[str, str]
    credentials: Path = Path(names.CREDENTIALS)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Pod":
        """Return what the environment says. Raises ConfigError outside of a pod of ours."""
        try:
            return cls(
                name=environ["DAYFLY_POD_NAME"],
                namespace=environ["DAYFLY_POD_NAMESPACE"],
                environ=dict(environ),
                credentials=Path(environ.get("DAYFLY_CREDENTIALS", names.CREDENTIALS)),
            )
        except KeyError as missing:
            raise ConfigError(f"the pod's environment lacks {missing}: is its manifest of another version?") from None

    @property
    def anywhere(self) -> str:
        """The address that stands for all of the pod's, of the kind that it has."""
        return "::" if ":" in self.environ.get("DAYFLY_POD_IP", "") else "0.0.0.0"  # noqa: S104 - NetworkPolicies close it

    def variable(self, name: str) -> str:
        """Return a variable that the manifest has. Raises ConfigError."""
        try:
            return self.environ[name]
        except KeyError:
            raise ConfigError(f"the pod's environment lacks {name}: is its manifest of another version?") from None

    @property
    def bounds(self) -> tuple[str, ...]:
        """The only namespaces of functions that it has rights in; empty when it has them in all."""
        return tuple(each for each in self.environ.get(names.BOUNDS, "").split(",") if each)

    def secret(self, key: str) -> bytes:
        """Return what was given under this key. Raises ConfigError."""
        path = self.credentials / key
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}; is it in the pod's Secret?") from error
        if not content:
            raise ConfigError(f"{path} is empty: the Secret that it comes from is damaged")
        return content

    def text(self, key: str) -> str:
        """Return what was given under this key, as text. Raises ConfigError."""
        try:
            return self.secret(key).decode("ascii").strip()
        except UnicodeDecodeError:
            raise ConfigError(
                f"{self.credentials / key} is no text: the Secret that it comes from is damaged"
            ) from None

    def place(self) -> Place:
        """Make the pod's folders, and return the place. Raises ConfigError, OSError."""
        folder = Path(self.variable("DAYFLY_DATA_DIR"), "own")
        options = StartOptions(
            host=self.anywhere, insecure_http=True, data_dir=str(folder),
            port=names.GATEWAY_PORT, console_port=names.CONSOLE_PORT, metrics_port=names.METRICS_PORT,
        )  # fmt: skip
        settings = Settings.resolve(options, self.environ)
        prepare_data_dir(folder, as_root=False)
        run_dir = prepare_run_dir(folder, self.environ, as_root=False)
        url = f"http://{names.GATEWAY}.{self.namespace}.svc"
        place = Place(
            settings=settings,
            run_dir=str(run_dir),
            layers=Layers(),
            sandbox=Sandbox(tier="C", required="C"),
            gateway_url=url,
            console_url=f"http://{names.CONSOLE}.{self.namespace}.svc",
            metrics_url=f"{url}:{names.METRICS_PORT}",
            nats=Server(path=_ELSEWHERE),
        )
        write_private(settings_file(run_dir, place.life), msgspec.json.encode(place))
        return place

    def renewal(self, take: Callable[[], None], *keys: str) -> Renewal:
        """Return what has these files taken up when they change."""
        return Renewal([self.credentials / key for key in keys], take)

    def tell_of_queue(self, place: Place) -> None:
        """Write where nats-server is and how it lets us in, as one of this machine would. Raises ConfigError.

        What was written there before lets us in for a while yet: the servers' passwords change at a time of their own.
        """
        path, word = place.run(ACCESS), self.text(names.QUEUE_PASSWORD)
        system = self.text(names.QUEUE_SYSTEM_PASSWORD)
        before = msgspec.json.decode(path.read_bytes(), type=Access) if path.exists() else Access(0, word, system)
        access = Access(
            host=self.variable("DAYFLY_QUEUE_HOST"), port=names.NATS_PORT,
            password=word, previous=_changed(before.password, before.previous, word),
            system_password=system, system_previous=_changed(before.system_password, before.system_previous, system),
        )  # fmt: skip
        write_private(path, msgspec.json.encode(access))

    def server_tls(self) -> ssl.SSLContext:
        """Return the side of the control plane. Raises ConfigError."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.load_server(context)
        return context

    def load_server(self, context: ssl.SSLContext) -> None:
        """Have handshakes from now on show the certificate that is there now. Raises ConfigError."""
        self._load(lambda: context.load_cert_chain(self.credentials / names.CERT, self.credentials / names.KEY))

    def client_tls(self) -> ssl.SSLContext:
        """Return the side of a gateway, which trusts this installation's certificate alone. Raises ConfigError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.load_client(context)
        return context

    def load_client(self, context: ssl.SSLContext) -> None:
        """Have what is there now trusted, too. Raises ConfigError."""
        self._load(lambda: context.load_verify_locations(self.credentials / names.CA))

    def _load(self, load: Callable[[], None]) -> None:
        try:
            load()
        except OSError as error:
            raise ConfigError(f"the certificate in {self.credentials} cannot be used: {error}") from error


def _changed(word: str, previous: str, now: str) -> str:
    """Return the password before the present one, empty while it never was another."""
    return previous if word == now else word
