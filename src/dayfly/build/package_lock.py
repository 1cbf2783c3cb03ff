"""What a function's `package.json` and `package-lock.json` may say: packages of the registry, with versions and hashes.

What points elsewhere (git, URLs, paths, workspaces) is refused, with the entry named: it would change what is installed
without changing the address that the result is kept under, or reach into this machine's files. Which registry packages
come from is the operator's to choose, in npm's own settings: where a lock says that a package was fetched from is left
out.

No script of a package is run while it is installed, because that would be outside of any function's confinement. A
package that has one is refused, unless it is optional, or package.json says that it does without:

    "dayfly": {"withoutScripts": ["protobufjs"]}

The two files are written anew from what was understood: without packages for development alone, sorted, so that the
same wishes have the same text.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from dayfly.model.errors import BuildFailed

_MAX_BYTES = 8 * 1024 * 1024
_MAX_PACKAGES = 10_000
_NAME = re.compile(r"(@[a-z0-9~-][a-z0-9._~-]*/)?[A-Za-z0-9~_-][A-Za-z0-9._~-]*", re.ASCII)
_VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)
_RANGE = re.compile(r"[0-9A-Za-z.*+~^<>=| -]*", re.ASCII)
_INTEGRITY = re.compile(
    r"(sha(1|256|384|512)-[A-Za-z0-9+/]+={0,2})( sha(1|256|384|512)-[A-Za-z0-9+/]+={0,2})*", re.ASCII
)
_WISHES = ("dependencies", "optionalDependencies", "peerDependencies")
_ROOT = ("name", "version", *_WISHES, "peerDependenciesMeta", "overrides")
_KEPT = (
    "version", "integrity", "name", "optional", "devOptional", "peer", "inBundle", "bundleDependencies", "bin", "os",
    "cpu", "libc", "engines", *_WISHES, "peerDependenciesMeta",
)  # fmt: skip
_SCRIPTS = ("preinstall", "install", "postinstall")


class Packages(msgspec.Struct, frozen=True):
    """What is to be installed, in one spelling. Without a lock, npm chooses the versions once."""

    manifest: str
    """package.json."""
    lock: str
    """package-lock.json, or nothing."""
    wanted: bool
    """Whether there is anything to install."""
    without_scripts: tuple[str, ...] = ()
    """Packages that do without the scripts they have."""

    @property
    def text(self) -> str:
        """Both files."""
        return f"{self.manifest}\n{self.lock}"


def parse_packages(manifest: bytes, lock: bytes | None) -> Packages:
    """Return what the two files ask for. Raises BuildFailed naming the entry that is not taken."""
    root = _read("package.json", manifest)
    _check_root("package.json", root)
    kept = {key: root[key] for key in _ROOT if root.get(key)}
    wanted = any(root.get(what) for what in _WISHES)
    without = _without_scripts(root)
    locked = parse_lock(lock, without) if lock is not None and wanted else ""
    if locked:
        _check_fit(root, json.loads(locked)["packages"][""])
    return Packages(_written(kept), locked, wanted, without)


def parse_lock(lock: bytes, without_scripts: Collection[str]) -> str:
    """Return a lock in our spelling. Raises BuildFailed as above."""
    read = _read("package-lock.json", lock)
    version, packages = read.get("lockfileVersion"), read.get("packages")
    if version not in (2, 3) or not isinstance(packages, dict):
        raise BuildFailed(
            "package-lock.json is of a kind that npm 6 and older wrote; `npm install --package-lock-only` with npm 7 or"
            " later writes it anew"
        )
    if len(packages) > _MAX_PACKAGES:
        raise BuildFailed(f"package-lock.json holds {len(packages)} packages; {_MAX_PACKAGES} is the most")
    root = packages.get("", {})
    _check_root("package-lock.json", root)
    manifest = {key: root[key] for key in _ROOT if root.get(key)}
    kept: dict[str, Any] = {"": manifest}
    for place, entry in packages.items():
        if place and not (isinstance(entry, dict) and entry.get("dev")):
            kept[place] = _checked(place, entry, without_scripts)
    whole: dict[str, Any] = {"lockfileVersion": 3, "packages": kept, "requires": True}
    return _written(whole | {key: manifest[key] for key in ("name", "version") if key in manifest})


def _check_fit(root: Mapping[str, Any], locked: Mapping[str, Any]) -> None:
    """Refuse a lock that was made of other wishes."""
    for what in _WISHES:
        ours, theirs = root.get(what, {}), locked.get(what, {})
        for name in sorted(ours.keys() | theirs.keys()):
            if ours.get(name) != theirs.get(name):
                raise BuildFailed(
                    f"package-lock.json does not fit package.json: {what}: {_shown(name)};"
                    " `npm install --package-lock-only` makes it fit"
                )


def _without_scripts(root: Mapping[str, Any]) -> tuple[str, ...]:
    ours = root.get("dayfly", {})
    names = ours.get("withoutScripts", []) if isinstance(ours, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BuildFailed("package.json: dayfly.withoutScripts must be a list of names of packages")
    return tuple(sorted(names))


def _read(file: str, data: bytes) -> dict[str, Any]:
    if len(data) > _MAX_BYTES:
        raise BuildFailed(f"{file} is larger than {_MAX_BYTES >> 20} MiB")
    try:
        read = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BuildFailed(f"{file} is not JSON: {error}") from None
    if not isinstance(read, dict):
        raise BuildFailed(f"{file} must hold an object")
    return read


def _written(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _check_root(file: str, root: Any) -> None:
    """Refuse what the function's own entry may not say."""
    if not isinstance(root, dict):
        raise BuildFailed(f"{file}: the function's own entry must be an object")
    if root.get("workspaces"):
        raise BuildFailed(f"{file}: workspaces are not taken: code of your own goes into the bundle as it is")
    scripts = root.get("scripts")
    for name in _SCRIPTS:
        if isinstance(scripts, dict) and scripts.get(name):
            raise BuildFailed(
                f"{file}: scripts.{name} is not taken: nothing is run while packages are installed; run it before you"
                " deploy, and put what it makes into the bundle"
            )
    _check_wishes(file, root)
    _check_overrides(file, root.get("overrides"), "overrides")


def _check_wishes(where: str, entry: Mapping[str, Any]) -> None:
    for what in _WISHES:
        wishes = entry.get(what, {})
        if not isinstance(wishes, dict):
            raise BuildFailed(f"{where}: {what} must be an object")
        for name, wish in wishes.items():
            _check_wish(f"{where}: {what}: {_shown(name)}", name, wish)


def _check_overrides(file: str, value: Any, way: str) -> None:
    for name, wish in value.items() if isinstance(value, dict) else ():
        if isinstance(wish, dict):
            _check_overrides(file, wish, f"{way}.{name}")
        elif not (isinstance(wish, str) and re.fullmatch(rf"\$({_NAME.pattern})", wish, re.ASCII)):
            _check_wish(f"{file}: {way}: {_shown(name)}", name.rpartition("@")[0] or name, wish)


def _check_wish(where: str, name: str, wish: Any) -> None:
    """Refuse a dependency that is no package of the registry by its name and version."""
    if not isinstance(wish, str) or not _NAME.fullmatch(name):
        raise BuildFailed(f"{where} is not the name of a package with a version")
    alias, _, target = wish.partition("npm:")
    if target and not alias:
        at = target.rfind("@")
        name, wish = (target[:at], target[at + 1 :]) if at > 0 else (target, "")
    if not _NAME.fullmatch(name) or not _RANGE.fullmatch(wish):
        raise BuildFailed(f"{where}@{_shown(wish)} is not taken: {_why(wish)}")


def _why(wish: str) -> str:
    if wish.startswith("workspace:"):
        return "workspaces are not taken: code of your own goes into the bundle as it is"
    if wish.startswith(("file:", "link:", ".", "/", "~/")):
        return "only packages by name are installed, none from a path; code of your own goes into the bundle"
    if "/" in wish or ":" in wish:
        return "only packages by name are installed, none from a URL or a repository"
    return "write for example ^1.2.3"


def _checked(place: str, entry: Any, without_scripts: Collection[str]) -> dict[str, Any]:
    """Return what counts of one locked package."""
    where = f"package-lock.json: {_shown(place)}"
    if not isinstance(entry, dict):
        raise BuildFailed(f"{where} must be an object")
    names = place.split("node_modules/")
    if names[0] or not all(_NAME.fullmatch(name.removesuffix("/")) for name in names[1:]):
        raise BuildFailed(f"{where} is not taken: only packages below node_modules are installed, none from a path")
    if entry.get("link"):
        raise BuildFailed(f"{where} is not taken: it is a link to a folder; code of your own goes into the bundle")
    if entry.get("hasInstallScript") and not entry.get("optional") and names[-1] not in without_scripts:
        raise BuildFailed(
            f"{where} is not taken: it has a script that runs while it is installed. When it does without, say so in"
            f' package.json: "dayfly": {{"withoutScripts": ["{names[-1]}"]}}; else choose one that comes ready built'
        )
    resolved = entry.get("resolved")
    if resolved is not None and not re.match(r"https?://", str(resolved)):
        raise BuildFailed(f"{where} is not taken: {_why(str(resolved))}")
    if not isinstance(entry.get("version"), str) or not _VERSION.fullmatch(entry["version"]):
        raise BuildFailed(f"{where} has no version of the registry: {_shown(entry.get('version'))}")
    if not entry.get("inBundle") and not _has_integrity(entry):
        raise BuildFailed(f"{where} has no integrity, by which its content is known; lock it anew with npm")
    _check_wishes(where, entry)
    return {key: entry[key] for key in _KEPT if key in entry}


def _has_integrity(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry.get("integrity"), str) and bool(_INTEGRITY.fullmatch(entry["integrity"]))


def _shown(text: Any) -> str:
    return "".join(each if each.isprintable() else "?" for each in str(text))[:120]
