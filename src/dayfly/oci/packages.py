"""Packages by what the files of their managers say of them. Pure: what cannot be read is no package."""

import base64
import binascii
import email.parser
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from dayfly.oci.inventory import Files

_LICENSE = re.compile(r"(?m)^License:[ \t]*([^\s].{0,120})$")
_FIELD = re.compile(r"(?m)^([A-Za-z][A-Za-z-]*):[ \t]*(.*)$")
_OSI = "License :: OSI Approved :: "


class Package(msgspec.Struct, frozen=True, order=True, kw_only=True):
    """One package."""

    purl: str
    name: str
    version: str
    license_expression: str = ""
    """By SPDX's rules, where its author says so."""
    license_names: tuple[str, ...] = ()
    """Else what its author calls it."""
    sha512: str = ""
    """Of the archive that it was installed from, hex; empty where nobody kept it."""
    layer: str = ""
    """The digest of the layer that it is in."""


def system_of(files: Files) -> dict[str, str]:
    """Return what os-release says."""
    raw, _ = files.get("etc/os-release") or files.get("usr/lib/os-release") or (b"", "")
    lines = (line.partition("=") for line in raw.decode(errors="replace").splitlines())
    return {name.strip(): value.strip().strip("\"'") for name, equals, value in lines if equals}


def packages_in(files: Files) -> list[Package]:
    """Return all packages, each once, in the order of their names."""
    system = system_of(files)
    found = {*_python(files), *_npm(files), *_debian(files, system), *_alpine(files, system)}
    return sorted({package.purl: package for package in sorted(found, reverse=True)}.values())


def _python(files: Files) -> Iterator[Package]:
    for path, (content, layer) in files.items():
        if not path.endswith(".dist-info/METADATA"):
            continue
        about = email.parser.BytesHeaderParser().parsebytes(content)
        name, version = str(about["Name"] or ""), str(about["Version"] or "")
        if not name or not version:
            continue
        classified = [str(each) for each in about.get_all("Classifier", [])]
        named = [each.removeprefix(_OSI) for each in classified if each.startswith(_OSI)]
        said = str(about["License"] or "").strip()
        if not named and said and len(said) <= 120 and "\n" not in said and said != "UNKNOWN":
            named = [said]
        yield Package(
            purl=f"pkg:pypi/{_part(re.sub(r'[-_.]+', '-', name).lower())}@{_part(version)}",
            name=name, version=version, license_expression=str(about["License-Expression"] or ""),
            license_names=tuple(sorted(set(named))), layer=layer,
        )  # fmt: skip


def _npm(files: Files) -> Iterator[Package]:
    locked: dict[str, str] = {}
    for path, (content, _) in files.items():
        if path.endswith("node_modules/.package-lock.json"):
            top = path.removesuffix("node_modules/.package-lock.json")
            for where, about in _object(_object(_json(content)).get("packages")).items():
                locked[f"{top}{where}"] = str(_object(about).get("integrity") or "")
    for path, (content, layer) in files.items():
        about = _object(_json(content)) if path.endswith("/package.json") else {}
        name, version = about.get("name"), about.get("version")
        if not isinstance(name, str) or not isinstance(version, str) or not name or not version:
            continue
        said = about.get("license")
        said = said if isinstance(said, str) else str(_object(said).get("type") or "")
        is_free_text = said.upper().startswith(("SEE LICENSE", "UNLICENSED")) or not re.fullmatch(r"[\w .()+-]+", said)
        yield Package(
            purl=f"pkg:npm/{'/'.join(_part(part) for part in name.split('/', 1))}@{_part(version)}",
            name=name, version=version, license_expression="" if is_free_text else said,
            license_names=(said,) if said and is_free_text else (),
            sha512=_sha512(locked.get(path.removesuffix("/package.json"), "")), layer=layer,
        )  # fmt: skip


def _debian(files: Files, system: dict[str, str]) -> Iterator[Package]:
    vendor = _part(system.get("ID") or "debian")
    distro = f"&distro={vendor}-{_part(system['VERSION_ID'])}" if system.get("VERSION_ID") else ""
    for path, (content, layer) in files.items():
        if path != "var/lib/dpkg/status" and not path.startswith("var/lib/dpkg/status.d/"):
            continue
        for paragraph in content.decode(errors="replace").split("\n\n"):
            about = dict(_FIELD.findall(paragraph))
            name, version = about.get("Package", ""), about.get("Version", "")
            if not name or not version or not about.get("Status", "installed").endswith("installed"):
                continue
            if about.get("Status", "").endswith("not-installed"):
                continue
            copyright_file, _ = files.get(f"usr/share/doc/{name}/copyright", (b"", ""))
            said = {found.strip() for found in _LICENSE.findall(copyright_file.decode(errors="replace"))}
            arch = _part(about.get("Architecture") or "all")
            yield Package(
                purl=f"pkg:deb/{vendor}/{_part(name)}@{_part(version)}?arch={arch}{distro}",
                name=name, version=version, license_names=tuple(sorted(said)), layer=layer,
            )  # fmt: skip


def _alpine(files: Files, system: dict[str, str]) -> Iterator[Package]:
    content, layer = files.get("lib/apk/db/installed", (b"", ""))
    distro = f"&distro=alpine-{_part(system['VERSION_ID'])}" if system.get("VERSION_ID") else ""
    for paragraph in content.decode(errors="replace").split("\n\n"):
        about = dict(line.split(":", 1) for line in paragraph.splitlines() if line[1:2] == ":")
        name, version = about.get("P", ""), about.get("V", "")
        if name and version:
            arch = _part(about.get("A") or "noarch")
            yield Package(
                purl=f"pkg:apk/alpine/{_part(name)}@{_part(version)}?arch={arch}{distro}", name=name, version=version,
                license_names=(about["L"].strip(),) if about.get("L", "").strip() else (), layer=layer,
            )  # fmt: skip


def _part(text: str) -> str:
    return quote(text, safe=":")


def _sha512(integrity: str) -> str:
    kind, _, digest = integrity.split(" ")[0].partition("-")
    try:
        raw = base64.b64decode(digest, validate=True) if kind == "sha512" else b""
    except binascii.Error:
        return ""
    return raw.hex() if len(raw) == 64 else ""


def _json(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
