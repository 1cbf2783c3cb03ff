"""Namespaces in a cluster: a Tenant object in each, and on shelves of Dayfly's own namespace what belongs to them.

A namespace of Dayfly's is one of the cluster's. One that is not there is made, and goes again with the tenant; one that
was there stays. Tokens are Secrets in Dayfly's own namespace, where tenants cannot read them.
"""

import base64
from typing import Any

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import NAMESPACE, SECRET, TENANT, Object, name_of, namespace_of
from dayfly.cluster.refusals import AlreadyThere, Changed, NotAllowed
from dayfly.model.builder import BuiltImage
from dayfly.model.errors import DayflyError, Forbidden, InvalidSpec, NotFound, StoreUnavailable
from dayfly.model.names import DEFAULT_NAMESPACE, BundleDigest, NamespaceName
from dayfly.model.namespace import Namespace
from dayfly.model.token import Token
from dayfly.storage.kubernetes.conditions import accept, refuse
from dayfly.storage.kubernetes.named import CREATED, Looked, made_unix_ms
from dayfly.storage.kubernetes.seen import OwnWrites
from dayfly.storage.kubernetes.shelf import ATTEMPTS, Shelf, overtaken
from dayfly.storage.tenancy import KEPT_BUILT, TenancyStore

TOKEN, SPACE, MADE = "dayfly.dev/token", "dayfly.dev/namespace", "dayfly.dev/made"
_CLAIM_BOARDS = 16


class KubernetesTenancy(TenancyStore):
    """Namespaces, tokens, claims to bundles and built images; `home` is Dayfly's own namespace."""

    def __init__(self, connection: Connection, home: str) -> None:
        self._api = connection
        self._home = home
        self.own = OwnWrites()

    async def namespaces(self) -> list[Namespace]:
        """Return every namespace, ordered by name; one whose Tenant cannot be read is left out, and says so."""
        found = {DEFAULT_NAMESPACE: Namespace(name=DEFAULT_NAMESPACE)}
        for obj in (await self._api.list(TENANT)).items:
            try:
                namespace = _namespace(obj)
                namespace.check()
            except DayflyError as error:
                await refuse(self._api, TENANT, obj, error)
            else:
                found[namespace.name] = namespace
        return [found[name] for name in sorted(found)]

    async def look(self, namespace: str, name: str) -> Looked[Namespace] | None:
        """Return what is there now; None where there is no such object. Raises StoreUnavailable."""
        try:
            obj = await self._api.get(TENANT, name, namespace)
        except NotFound:
            return None
        try:
            return Looked(obj, _namespace(obj), None)
        except InvalidSpec as error:
            return Looked(obj, None, error)

    async def judged(self, looked: Looked[Namespace], error: DayflyError | None) -> None:
        """Tell of what was looked at that it is taken over, or why it is not. Raises StoreUnavailable."""
        if error is None:
            await accept(self._api, TENANT, looked.object)
        else:
            await refuse(self._api, TENANT, looked.object, error)

    async def put_namespace(self, namespace: Namespace) -> None:
        """Create or replace the namespace. Raises Forbidden where Dayfly may not be in it."""
        if self._api.namespaces and namespace.name not in self._api.namespaces:
            raise Forbidden(
                f"this installation has no rights in the namespace {namespace.name}",
                hint=f"install again with {namespace.name} in functions.namespaces",
            )
        spec = {name: value for name, value in _plain(namespace).items() if name not in ("name", "created_unix_ms")}
        meta = {"annotations": {CREATED: str(namespace.created_unix_ms)}}
        for _ in range(ATTEMPTS):
            try:
                found = await self._api.get(TENANT, namespace.name, namespace.name)
            except NotFound:
                found = None
            try:
                if found is None:
                    await self._ensure(namespace.name)
                    obj = TENANT.object(namespace.name, namespace.name, metadata=meta, spec=spec)
                    self.own.wrote(await self._api.create(TENANT, obj))
                else:
                    annotations = found["metadata"].get("annotations", {}) | meta["annotations"]
                    kept = {**found["metadata"], "annotations": annotations}
                    self.own.wrote(await self._api.replace(TENANT, {**found, "metadata": kept, "spec": spec}))
            except (Changed, AlreadyThere):
                continue
            return
        raise overtaken(f"the namespace {namespace.name}")

    async def delete_namespace(self, name: NamespaceName) -> None:
        """Remove the namespace with its tokens and its claims to bundles. Raises NotFound, Conflict."""
        self.check_removable(name)
        try:
            await self._api.get(TENANT, name, name)
            await self.forget(name)
            await self._api.delete(TENANT, name, name)
            self.own.removed((name, str(name)))
        except NotFound as error:
            raise NotFound(f"there is no namespace {name}") from error
        if self._api.namespaces:
            return  # those that it may work in are the installation's to make and to remove
        try:
            space = await self._api.get(NAMESPACE, name)
            if MADE in space["metadata"].get("labels", {}):
                await self._api.delete(NAMESPACE, name, uid=space["metadata"]["uid"])
        except (NotFound, Changed):
            return  # somebody else removed it

    async def forget(self, name: NamespaceName) -> None:
        """Remove what belongs to a namespace beside its Tenant: tokens, claims to bundles, what was built."""
        # The tokens first: none may open a namespace of which a part is gone.
        await self._api.delete_all(SECRET, self._home, labels=f"{TOKEN}=true,{SPACE}={name}")
        await self._claims(name).clear()
        await self._built(name).clear()

    async def tokens(self) -> list[Token]:
        """Return every token, ordered by id."""
        listing = await self._api.list(SECRET, self._home, labels=f"{TOKEN}=true")
        return sorted((_token(obj) for obj in listing.items), key=lambda token: token.id)

    async def put_token(self, token: Token) -> None:
        """Keep the token."""
        labels = {TOKEN: "true"}
        if token.namespace is not None:
            labels[SPACE] = token.namespace
        data = {"token": base64.b64encode(msgspec.json.encode(token)).decode()}
        obj = SECRET.object(_token_name(token.id), self._home, metadata={"labels": labels}, data=data)
        try:
            await self._api.create(SECRET, obj)
        except AlreadyThere:
            changed: Object = {"labels": {TOKEN: "true", SPACE: token.namespace}}
            patch = {"metadata": changed, "data": data}
            await self._api.patch(SECRET, _token_name(token.id), patch, self._home)

    async def delete_token(self, token: str) -> None:
        """Forget the token of this id. Raises NotFound."""
        try:
            await self._api.delete(SECRET, _token_name(token), self._home)
        except NotFound as error:
            raise NotFound(f"there is no token {token}") from error

    async def claim_bundle(self, namespace: NamespaceName, digest: BundleDigest) -> None:
        """Note that the bundle was uploaded into the namespace."""
        await self._claims(namespace).put({digest: ""})

    async def has_bundle(self, namespace: NamespaceName, digest: BundleDigest) -> bool:
        """Whether the bundle was ever uploaded into the namespace."""
        return await self._claims(namespace).get(digest) is not None

    async def put_built(self, namespace: NamespaceName, built: BuiltImage) -> None:
        """Note what an image's name means to the namespace; the newest KEPT_BUILT stay."""

        def noted(texts: dict[str, str]) -> dict[str, str]:
            texts[built.image] = msgspec.json.encode(built).decode()
            images = {name: _image(text, name) for name, text in texts.items()}
            order = sorted(images, key=lambda name: (images[name].built_unix_ms, name))
            return {name: texts[name] for name in order[-KEPT_BUILT:]}

        await self._built(namespace).change(noted)

    async def built(self, namespace: NamespaceName, image: str) -> BuiltImage | None:
        """Return what was last noted of the name."""
        text = await self._built(namespace).get(image)
        return None if text is None else _image(text, image)

    async def built_bundles(self) -> set[BundleDigest]:
        """Return the bundles of all names that are kept."""
        texts = await Shelf(self._api, self._home, "built").every()
        return {bundle for name, text in texts if (bundle := _image(text, name).bundle)}

    async def _ensure(self, name: str) -> None:
        """Make the cluster's namespace when it is not there."""
        if self._api.namespaces:
            return
        try:
            await self._api.get(NAMESPACE, name)
        except NotFound:
            labels = {MADE: "true", "pod-security.kubernetes.io/enforce": "restricted"}
            try:
                await self._api.create(NAMESPACE, NAMESPACE.object(name, metadata={"labels": labels}))
            except AlreadyThere:
                return
            except NotAllowed as error:
                raise Forbidden(
                    f"the cluster has no namespace {name}, and Dayfly may not make any here",
                    hint=f"kubectl create namespace {name}, and install again with it in functions.namespaces",
                ) from error

    def _claims(self, namespace: str) -> Shelf:
        return Shelf(self._api, self._home, "claims", boards=_CLAIM_BOARDS, part=namespace)

    def _built(self, namespace: str) -> Shelf:
        return Shelf(self._api, self._home, "built", part=namespace)


def _namespace(obj: Object) -> Namespace:
    if namespace_of(obj) != name_of(obj):
        raise InvalidSpec(f"a Tenant is named as the namespace that it is in: {namespace_of(obj)}")
    made = obj["metadata"].get("annotations", {}).get(CREATED, "")
    created = int(made) if made.isdigit() else made_unix_ms(obj)
    try:
        return msgspec.convert(obj.get("spec", {}) | {"name": name_of(obj), "created_unix_ms": created}, Namespace)
    except msgspec.ValidationError as error:
        raise InvalidSpec(f"{error}", hint="correct its spec with kubectl edit") from error


def _token(obj: Object) -> Token:
    try:
        return msgspec.json.decode(base64.b64decode(obj["data"]["token"]), type=Token)
    except (KeyError, ValueError) as error:
        raise StoreUnavailable(
            f"the Secret {name_of(obj)} holds no token: {error}", hint="something else than Dayfly wrote it; delete it"
        ) from error


def _image(text: str, name: str) -> BuiltImage:
    try:
        return msgspec.json.decode(text, type=BuiltImage)
    except msgspec.MsgspecError as error:
        raise StoreUnavailable(
            f"what the image {name} means cannot be read: {error}", hint="build it anew, or delete the ConfigMap"
        ) from error


def _token_name(token: str) -> str:
    return f"dayfly-token-{token}"


def _plain(struct: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(struct))
