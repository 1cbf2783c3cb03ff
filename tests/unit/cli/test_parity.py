"""Every command and flag of faas-cli is here with the same meaning, or there is a reason why not, which is told.

The table is what faas-cli's own help says; what each does is in the tests of the commands.
"""

from collections.abc import Callable
from typing import Any

import click
import pytest

from dayfly.cli.main import COMMANDS, cli

Run = Callable[..., Any]

GLOBAL = "-f --yaml --regex --filter"
API = "-g --gateway --tls-no-verify -k --token"
BUILD = (
    "--image --handler --name --lang --no-cache --squash --parallel --shrinkwrap -b --build-arg -o --build-option "
    "--tag --build-label --copy-extra --envsubst --quiet --disable-stack-pull --pull --debug --overwrite"
)
PUSH = "--parallel --tag --envsubst --quiet"
DEPLOY = (
    f"{API} --fprocess --handler --image --lang --name --network -n --namespace -e --env -l --label --annotation "
    "--replace --update --constraint --secret --readonly --tag --envsubst --read-template --timeout --cpu-request "
    "--cpu-limit --memory-request --memory-limit"
)
BUILDER = "--remote-builder --payload-secret --builder-public-key"
SECRET = f"{API} -n --namespace"
STORE = "-u --url -p --platform"

TABLE = {
    "new": "--lang --list -a --append -p --prefix --handler -g --gateway --memory-limit --cpu-limit --memory-request "
    "--cpu-request -q --quiet",
    "build": f"{GLOBAL} {BUILD}",
    "push": f"{GLOBAL} {PUSH}",
    "publish": f"{GLOBAL} {BUILD} --platforms --extra-tag --reset-qemu {BUILDER}",
    "deploy": f"{GLOBAL} {DEPLOY}",
    "up": f"{GLOBAL} {BUILD} {PUSH} {DEPLOY} {BUILDER} --skip-push --skip-deploy --publish --platforms --watch",
    "remove": f"{GLOBAL} {API} --envsubst -n --namespace",
    "rm": "",
    "delete": "",
    "list": f"-f --yaml {API} --envsubst -n --namespace -v --verbose -q --quiet --sort -j --json",
    "ls": "",
    "describe": f"-f --yaml {API} --envsubst -n --namespace -v --verbose -j --json",
    "invoke": "-f --yaml -g --gateway --tls-no-verify --envsubst -n --namespace -a --async -m --method --content-type "
    "--query -H --header --sign --key --auth",
    "logs": f"-f --yaml {API} -n --namespace -t --tail --since --since-time --lines -o --output -j --json --name "
    "--instance --time-format",
    "ready": "-f --yaml -g --gateway --tls-no-verify -n --namespace --attempts --interval",
    "version": f"-f --yaml {API} --envsubst --short-version --warn-update -j --json",
    "login": "-g --gateway --tls-no-verify -u --username -p --password -s --password-stdin --timeout",
    "logout": "-g --gateway",
    "secret create": f"{SECRET} --from-literal --from-file --trim --replace",
    "secret update": f"{SECRET} --from-literal --from-file --trim",
    "secret u": "",
    "secret remove": SECRET,
    "secret rm": "",
    "secret delete": "",
    "secret list": f"{SECRET} -j --json",
    "secret ls": "",
    "secret apply": f"{SECRET} --trim",
    "secret generate": "--length -o --output",
    "secret gen": "",
    "secret keygen": "-o --output",
    "secret seal": "--from-literal --from-file -o --output",
    "secret unseal": "--in --key -j --json",
    "namespace list": f"{API} -j --json",
    "namespace get": API,
    "namespace create": f"{API} -l --label --annotation",
    "namespace update": f"{API} -l --label --annotation",
    "namespace remove": API,
    "ns ls": "",
    "namespaces": f"{API} -j --json",
    "store list": f"{STORE} -v --verbose -j --json",
    "store describe": f"{STORE} -j --json",
    "store inspect": "",
    "store deploy": f"{STORE} {API} --name -n --namespace -e --env -l --label --annotation --replace --update "
    "--constraint --secret --timeout --cpu-request --cpu-limit --memory-request --memory-limit",
    "template pull": "--overwrite --debug",
    "template pull-stack": "",
    "template store list": "-u --url -p --platform -r --recommended -o --official -v --verbose -j --json",
    "template store describe": "-u --url -j --json",
    "template store pull": "-u --url",
    "generate": "-f --yaml --regex --filter --api --from-store --name -n --namespace --tag --envsubst --arch "
    "--annotation --label",
    "diff": f"{GLOBAL} {API} --envsubst -n --namespace --tag --env",
    "local-run": f"-f --yaml --print --build -p --port --tag --network -e --env --watch {BUILD}",
    "registry-login": "--server -u --username --password -s --password-stdin --ecr --account-id --region",
    "plugin get": "--registry --arch --os --version --path -v --verbose",
    "completion": "--shell",
}

_BUILT_NATIVELY = "code is not built into an image to be run on this machine; `dayfly build` takes it"
DIFFERENT = {
    ("list", "--envsubst"): "only the gateway is read from the stack file, its variables put in",
    ("describe", "--envsubst"): "only the gateway is read from the stack file, its variables put in",
    ("invoke", "--envsubst"): "only the gateway and the namespace are read from the stack file, its variables put in",
    ("version", "--envsubst"): "only the gateway is read from the stack file, its variables put in",
    **{("local-run", flag): _BUILT_NATIVELY for flag in BUILD.split() if flag not in ("--envsubst", "--tag", "--lang")},
    ("template pull-stack", ""): "it is `template pull stack`",
}
"""Flags of faas-cli that are not here, each with the reason."""
WITHOUT = {
    "bashcompletion": "faas-cli's own predecessor of `completion`",
    "chart export": "it renders OpenFaaS's Helm charts",
    "print-token": "hidden in faas-cli; a credential is not printed again",
    "pro": "a closed plugin of OpenFaaS's paid edition",
    "airfaas": "a closed plugin of OpenFaaS's paid edition",
}
"""Commands of faas-cli that are not here, each with the reason."""


PARTS = {"up": {"build", "push", "publish"}}
"""Commands that take what others take."""


def found(path: str) -> click.Command | None:
    command: click.Command | None = cli
    for name in path.split():
        if not isinstance(command, click.Group):
            return None
        command = command.get_command(click.Context(command), name)
    return command


def opts(command: click.Command) -> set[str]:
    options = [param for param in command.params if isinstance(param, click.Option)]
    return {name for option in options for name in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize("path", sorted(TABLE))
def test_the_command_is_here_with_all_flags(path: str) -> None:
    needed = PARTS.get(path, {path.split()[0]}) - {*COMMANDS, "rm", "delete", "ls", "ns", "namespaces"}
    if needed:
        pytest.skip(f"this version has no {', '.join(sorted(needed))}")
    if (path, "") in DIFFERENT:
        return
    command = found(path)
    assert command is not None
    missing = {flag for flag in TABLE[path].split() if flag not in opts(command)}
    unexplained = {flag for flag in missing if (path, flag) not in DIFFERENT}
    assert unexplained == set()
    assert {flag for where, flag in DIFFERENT if where == path} == missing, "a reason for what is here"


@pytest.mark.parametrize("path", sorted(WITHOUT))
def test_what_is_not_here_has_a_reason(path: str) -> None:
    assert found(path) is None
    assert WITHOUT[path]


@pytest.mark.parametrize("path", sorted(path for path in TABLE if TABLE[path]))
def test_each_command_says_how_it_is_used(dayfly: Run, path: str) -> None:
    if found(path) is None:
        pytest.skip(f"{path} is not in this version")
    assert "Examples:" in dayfly(*path.split(), "--help").stdout
