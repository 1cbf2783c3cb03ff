"""What somebody sees once the platform is up: where it is, how to get in, and one line to paste."""

from collections.abc import Mapping, Sequence


def ready_text(instance: Mapping[str, str], *, password: str, notices: Sequence[str]) -> str:
    """Return the text for a terminal; the login is in it only when `password` is not empty."""
    lines = [*notices, ""] if notices else []
    lines += [
        f"Dayfly {instance['version']} is ready.",
        "",
        f"  gateway   {instance['gateway_url']}",
        f"  console   {instance['console_url']}",
        f"  metrics   {instance['metrics_url']}",
        f"  data      {instance['data_dir']}",
        f"  sandbox   {instance['sandbox']}",
    ]
    if password:
        lines += [
            "",
            f"  login     admin / {password}",
            "            Shown this once. This account on this machine needs no login.",
        ]
    insecure = " --insecure" if instance["gateway_url"].startswith("https:") else ""
    lines += [
        "",
        "  dayfly new hello --lang python && dayfly deploy -f stack.yaml",
        f"  curl{insecure} -d Dayfly {instance['gateway_url']}/function/hello",
        "",
    ]
    return "\n".join(lines)


def changed_text(version: str, before: str, failure: str) -> str:
    """Return the line that says what became of a change of versions."""
    if failure:
        return f"version {before} did not come up: {failure}. Version {version} has taken over again; no call was lost."
    return f"changed from version {before} to {version}; what runs of the old one finishes its calls and goes"
