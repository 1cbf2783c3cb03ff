"""The port behind namespaces: which there are, the tokens that open them, and whose a code bundle is.

It keeps the state port's promise: when a write returns it is on the disk, and reads see every write that returned
before. The default namespace is always there. A bundle belongs to the namespaces that it was uploaded into; its bytes
are kept once, wherever they came from.
"""

import abc

from dayfly.model.builder import BuiltImage
from dayfly.model.errors import Conflict
from dayfly.model.names import DEFAULT_NAMESPACE, BundleDigest, NamespaceName
from dayfly.model.namespace import Namespace
from dayfly.model.token import Token

KEPT_BUILT = 200
"""Images' names kept of one namespace, those built last: a pipeline builds a tag a commit."""


class TenancyStore(abc.ABC):
    """Namespaces and what comes with them; opened and closed with the state store beside it.

    All methods raise StoreUnavailable when the medium fails.
    """

    @abc.abstractmethod
    async def namespaces(self) -> list[Namespace]:
        """Return every namespace, ordered by name; the default one is always among them."""

    @abc.abstractmethod
    async def put_namespace(self, namespace: Namespace) -> None:
        """Create or replace the namespace."""

    @abc.abstractmethod
    async def delete_namespace(self, name: NamespaceName) -> None:
        """Remove the namespace with its tokens, built images and claims to bundles; all else is not looked at.

        Raises NotFound, and Conflict for the default one.
        """

    @staticmethod
    def check_removable(name: NamespaceName) -> None:
        """Refuse to remove the namespace that must be there. Raises Conflict."""
        if name == DEFAULT_NAMESPACE:
            raise Conflict(f"the namespace {name} is the default one and cannot be removed")

    @abc.abstractmethod
    async def tokens(self) -> list[Token]:
        """Return every token, ordered by id."""

    @abc.abstractmethod
    async def put_token(self, token: Token) -> None:
        """Keep the token."""

    @abc.abstractmethod
    async def delete_token(self, token: str) -> None:
        """Forget the token of this id. Raises NotFound."""

    @abc.abstractmethod
    async def claim_bundle(self, namespace: NamespaceName, digest: BundleDigest) -> None:
        """Note that the bundle was uploaded into the namespace."""

    @abc.abstractmethod
    async def has_bundle(self, namespace: NamespaceName, digest: BundleDigest) -> bool:
        """Whether the bundle was ever uploaded into the namespace."""

    @abc.abstractmethod
    async def put_built(self, namespace: NamespaceName, built: BuiltImage) -> None:
        """Note what an image's name means to the namespace from now on; the newest KEPT_BUILT of its names stay."""

    @abc.abstractmethod
    async def built(self, namespace: NamespaceName, image: str) -> BuiltImage | None:
        """Return what was last noted of the name, None when nothing is."""

    @abc.abstractmethod
    async def built_bundles(self) -> set[BundleDigest]:
        """Return the bundles of all names that are kept."""
