"""Stores that we serve, as `faas-cli store` and `faas-cli template` read them."""

import subprocess
from pathlib import Path

from tests.compat_openfaas import golike
from tests.compat_openfaas.wire import Wire
from tests.system.driver import Platform

STORE = golike.struct(
    {
        "version": golike.filled,
        "functions": golike.array(
            golike.struct(
                {"name": golike.filled, "images": golike.texts},
                {
                    **dict.fromkeys(("title", "description", "author", "icon", "repo_url", "fprocess"), golike.filled),
                    **dict.fromkeys(("environment", "labels", "annotations"), golike.texts),
                    "readOnlyRootFilesystem": golike.boolean,
                },
            )
        ),
    }
)
_TEMPLATE = ("template", "platform", "language", "source", "description", "repo", "official")
TEMPLATES = golike.array(golike.struct({**dict.fromkeys(_TEMPLATE, golike.filled), "recommended": golike.boolean}))
"""`official` is a text, "true" or "false"."""


def test_functions_of_our_store_are_listed_deployed_and_called(wire: Wire) -> None:
    """Behaviour 46: a store's list is read without a credential, and what it names is deployed by that name."""
    answer = wire.send("GET", "/store/functions.json", headers={})
    assert answer.status == 200
    (figlet,) = [each for each in answer.read(STORE)["functions"] if each["name"] == "figlet"]
    assert figlet["images"].keys() == {"x86_64", "arm64", "armhf"}
    wire.deploy("stores-figlet", figlet.get("fprocess", ""), image=figlet["images"]["x86_64"])
    assert wire.function("stores-figlet")["image"] == figlet["images"]["x86_64"]
    assert "####" in wire.call("stores-figlet", b"Dayfly").text
    icon = wire.send("GET", figlet["icon"].removeprefix(wire.url), headers={})
    assert (icon.status, icon.headers["content-type"]) == (200, "image/svg+xml")


def test_images_of_openfaas_own_store_are_deployed_without_an_engine(wire: Wire) -> None:
    """Behaviour 46: `faas-cli store deploy` sends the images of its own list, and the process that is named there."""
    for name, image, process, says in (
        ("stores-env", "ghcr.io/openfaas/alpine:latest", "env", "Http_Method=POST"),
        ("stores-shasum", "docker.io/functions/alpine:latest", "sha512sum", "4851caf3"),
        ("stores-nodeinfo", "ghcr.io/openfaas/nodeinfo:latest", "", "Hostname: "),
    ):
        wire.deploy(name, process, image=image)
        told = wire.function(name)
        assert (told["image"], told.get("envProcess", "")) == (image, process)
        answer = wire.call(name, b"Dayfly")
        assert answer.status == 200
        assert says in answer.text


def test_templates_of_our_store_are_listed_and_cloned(wire: Wire, tmp_path: Path) -> None:
    """Behaviour 46: each names a repository that git clones as `faas-cli template pull` does, shallow and whole."""
    answer = wire.send("GET", "/store/templates.json", headers={})
    assert answer.status == 200
    listed = answer.read(TEMPLATES)
    (python,) = [each for each in listed if each["template"] == "python3-http"]
    assert python["recommended"] is True
    for name, more in (("shallow", ["--depth=1"]), ("branch", ["--depth=1", "-b", "main"]), ("whole", [])):
        target = tmp_path / name
        argv = ["git", "clone", "--quiet", *more, "--config", "core.autocrlf=false", python["repo"], str(target)]
        subprocess.run(argv, check=True, capture_output=True, timeout=60)
        assert {each["template"] for each in listed} == {each.name for each in (target / "template").iterdir()}
        assert (target / "template" / "python3-http" / "function" / "handler.py").is_file()
    subprocess.run(["git", "-C", str(target), "fsck", "--strict"], check=True, capture_output=True, timeout=60)


def test_our_own_command_line_reads_them_as_faas_cli_does(wire: Wire, openfaas: Platform, tmp_path: Path) -> None:
    """Behaviour 46: `--url` names the lists; what is pulled lies where faas-cli puts it, and is told in its words."""
    functions, templates = f"{wire.url}/store/functions.json", f"{wire.url}/store/templates.json"
    assert "figlet" in openfaas.ok("store", "list", "--url", functions)
    assert "node22" in openfaas.ok("template", "store", "list", "--recommended", "--url", templates)
    said = openfaas.ok("template", "store", "pull", "ruby-http", "--url", templates, cwd=tmp_path)
    assert said.startswith("Wrote ")
    assert " template(s) : [asgi " in said
    assert (tmp_path / "template" / "ruby-http" / "meta.json").is_file()
