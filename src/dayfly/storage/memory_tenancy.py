"""Namespaces, tokens and claims to bundles in memory: the port's executable specification."""

from collections.abc import Callable

from dayfly.model.builder import BuiltImage
from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.names import DEFAULT_NAMESPACE, BundleDigest, NamespaceName
from dayfly.model.namespace import Namespace
from dayfly.model.token import Token
from dayfly.storage.tenancy import KEPT_BUILT, TenancyStore


class MemoryTenancy(TenancyStore):
    """Everything in dictionaries. `broken` tells, with a text, that every call is to fail, for tests."""

    def __init__(self, broken: Callable[[], str] = str) -> None:
        self._broken = broken
        self._namespaces: dict[NamespaceName, Namespace] = {DEFAULT_NAMESPACE: Namespace(name=DEFAULT_NAMESPACE)}
        self._tokens: dict[str, Token] = {}
        self._bundles: set[tuple[NamespaceName, BundleDigest]] = set()
        self._built: dict[tuple[NamespaceName, str], BuiltImage] = {}

    async def namespaces(self) -> list[Namespace]:
        """Return every namespace, ordered by name."""
        self._check()
        return [self._namespaces[name] for name in sorted(self._namespaces)]

    async def put_namespace(self, namespace: Namespace) -> None:
        """Create or replace the namespace."""
        self._check()
        self._namespaces[namespace.name] = namespace

    async def delete_namespace(self, name: NamespaceName) -> None:
        """Remove the namespace with its tokens and its claims to bundles. Raises NotFound, Conflict."""
        self._check()
        self.check_removable(name)
        if self._namespaces.pop(name, None) is None:
            raise NotFound(f"there is no namespace {name}")
        self._tokens = {key: token for key, token in self._tokens.items() if token.namespace != name}
        self._bundles = {claim for claim in self._bundles if claim[0] != name}
        self._built = {key: built for key, built in self._built.items() if key[0] != name}

    async def tokens(self) -> list[Token]:
        """Return every token, ordered by id."""
        self._check()
        return [self._tokens[name] for name in sorted(self._tokens)]

    async def put_token(self, token: Token) -> None:
        """Keep the token."""
        self._check()
        self._tokens[token.id] = token

    async def delete_token(self, token: str) -> None:
        """Forget the token of this id. Raises NotFound."""
        self._check()
        if self._tokens.pop(token, None) is None:
            raise NotFound(f"there is no token {token}")

    async def claim_bundle(self, namespace: NamespaceName, digest: BundleDigest) -> None:
        """Note that the bundle was uploaded into the namespace."""
        self._check()
        self._bundles.add((namespace, digest))

    async def has_bundle(self, namespace: NamespaceName, digest: BundleDigest) -> bool:
        """Whether the bundle was ever uploaded into the namespace."""
        self._check()
        return (namespace, digest) in self._bundles

    async def put_built(self, namespace: NamespaceName, built: BuiltImage) -> None:
        """Note what an image's name means to the namespace; the newest KEPT_BUILT stay."""
        self._check()
        self._built[namespace, built.image] = built
        ours = [key for key in self._built if key[0] == namespace]
        ours.sort(key=lambda key: (self._built[key].built_unix_ms, key[1]))
        for key in ours[:-KEPT_BUILT]:
            del self._built[key]

    async def built(self, namespace: NamespaceName, image: str) -> BuiltImage | None:
        """Return what was last noted of the name."""
        self._check()
        return self._built.get((namespace, image))

    async def built_bundles(self) -> set[BundleDigest]:
        """Return the bundles of all names that are kept."""
        self._check()
        return {built.bundle for built in self._built.values() if built.bundle}

    def _check(self) -> None:
        if text := self._broken():
            raise StoreUnavailable(text)
