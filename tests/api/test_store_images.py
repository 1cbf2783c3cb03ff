"""Images of the well-known functions, deployed through both faces where no container engine is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

FIGLET = "ghcr.io/openfaas/figlet:latest"


def test_openfaas_clients_deploy_a_store_image_without_an_engine(play: Play) -> None:
    async def story(stage: Stage) -> None:
        asked = {"service": "figlet", "image": FIGLET, "envProcess": "figlet", "annotations": {"note": "x"}}
        assert (await stage.ask("PUT", "/system/functions", data=asked)).status == 404
        assert (await stage.ask("POST", "/system/functions", data=asked)).status == 202
        (status,) = stage.plane.functions.values()
        assert (status.spec.runtime, status.spec.lang) == ("python", "store")
        assert ("openfaas-fn", status.spec.bundle) in stage.bundles.kept
        shown = (await stage.ask("GET", "/system/function/figlet")).json()
        assert (shown["image"], shown["envProcess"], shown["annotations"]) == (FIGLET, "figlet", {"note": "x"})
        assert (await stage.ask("PUT", "/system/functions", data=asked)).status == 202

    play(story)


def test_an_update_may_run_another_program_of_the_same_image(play: Play) -> None:
    async def story(stage: Stage) -> None:
        asked = {"service": "fn", "image": "functions/alpine:latest", "envProcess": "env"}
        assert (await stage.ask("POST", "/system/functions", data=asked)).status == 202
        assert (await stage.ask("PUT", "/system/functions", data={**asked, "envProcess": "cat"})).status == 202
        (status,) = stage.plane.functions.values()
        assert (status.spec.runtime, status.spec.process) == ("exec", "cat")

    play(story)


def test_a_native_deployment_of_an_image_means_the_same(play: Play) -> None:
    async def story(stage: Stage) -> None:
        path = "/v1/namespaces/openfaas-fn/functions/figlet"
        made = await stage.ask("PUT", path, data={"image": FIGLET, "runtime": "image", "lang": "image"})
        assert made.status == 201
        assert (made.json()["spec"]["image"], made.json()["spec"]["bundle"][:7]) == (FIGLET, "sha256:")
        other = await stage.ask("PUT", path, data={"image": "me/other:1", "runtime": "image"})
        assert (other.status, "need a container engine" in other.json()["detail"]) == (400, True)
        nowhere = path.replace("openfaas-fn", "nowhere")
        assert (await stage.ask("PUT", nowhere, data={"image": FIGLET, "runtime": "image"})).status == 404
        assert {namespace for namespace, _ in stage.bundles.kept} == {"openfaas-fn"}

    play(story)


def test_who_wants_a_container_is_told_what_that_takes(play: Play) -> None:
    async def story(stage: Stage) -> None:
        asked = {"service": "figlet", "image": FIGLET, "annotations": {"com.dayfly.image": "container"}}
        answer = await stage.ask("POST", "/system/functions", data=asked)
        assert (answer.status, b"need a container engine" in answer.body) == (400, True)

    play(story)


def test_anybody_may_read_the_list_and_its_icons_and_what_it_names_is_deployed(play: Play) -> None:
    async def story(stage: Stage) -> None:
        headers = {"x-forwarded-host": "faas.example.org:8443", "x-forwarded-proto": "https"}
        answer = await stage.ask("GET", "/store/functions.json", headers=headers)
        listed = answer.json()
        assert (answer.status, listed["version"]) == (200, "0.2.1")
        for each in listed["functions"]:
            assert each["icon"] == f"https://faas.example.org:8443/store/icons/{each['name']}.svg"
            assert each["images"].keys() == {"x86_64", "arm64", "armhf"}
            asked = {"service": each["name"], "image": each["images"]["arm64"], "envProcess": each.get("fprocess")}
            assert (await stage.ask("POST", "/system/functions", data=asked)).status == 202
        assert len(stage.plane.functions) >= 20
        picture = await stage.ask("GET", "/store/icons/figlet.svg", headers={})
        assert (picture.status, picture.headers["content-type"]) == (200, "image/svg+xml")
        assert "sandbox" in picture.headers["content-security-policy"]
        for name in ("none.svg", "figlet.png", "figlet", "alpine.svg", "..%2f..%2fentry.svg"):
            assert (await stage.ask("GET", f"/store/icons/{name}", headers={})).status == 404, name

    play(story)


def test_a_host_that_is_none_gets_into_no_url(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for headers in ({"host": "x/evil"}, {"host": 'a"b'}, {"x-forwarded-proto": "file", "host": "a"}, {}):
            listed = (await stage.ask("GET", "/store/functions.json", headers=headers)).json()
            assert listed["functions"][0]["icon"].startswith("http://127.0.0.1:8080/store/icons/"), headers

    play(story)


def test_the_page_gets_icons_and_samples(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for app in ("public", "console"):
            items = {each["name"]: each for each in (await stage.ask("GET", "/v1/store", app=app)).json()}
            figlet = items["figlet"]
            assert figlet["icon"].startswith("<svg")
            assert figlet["sample"] == {"content_type": "text/plain", "body": "Dayfly"}
            assert (figlet["image"], "openfaas/figlet" in figlet["stands_for"]) == ("dayfly/figlet:latest", True)
        assert (await stage.ask("GET", "/v1/store", headers={})).status == 401

    play(story)
