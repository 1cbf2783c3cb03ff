"""`dayfly build`: from a changed handler to its image in the store, without a container engine, as a whole process.

The base is an archive that says it has this interpreter, so that what is installed here is what goes into the layer of
dependencies: no network is in these figures. What a base is made of does not count, since a build reads its manifest
alone; the first build, which takes the base in and makes that layer, is a line of its own.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

from bench import budgets
from bench.book import Lab
from bench.figures import Spread, percentile
from bench.instance import FUNCTIONS
from bench.programs import ProgramFailed
from dayfly.oci.layer import Content, write_layer
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import OCI_CONFIG, OCI_MANIFEST, ImageConfig, Manifest, RootFs, encode
from dayfly.oci.platform import this_machine


def measure(lab: Lab) -> None:
    """Measure the group."""
    folder = lab.folder("images")
    base, code = folder / "base", folder / "code"
    _write_base(base)
    code.mkdir(parents=True)
    handler = (FUNCTIONS / "noop" / "handler.py").read_text()
    command = [lab.tools.need("dayfly"), "build", "bench", "--handler", str(code), "--base", str(base)]
    environ = {**lab.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    taken, began = [], 0.0
    for number in range(lab.plan.help_runs + 1):
        lab.say(f"build {number}/{lab.plan.help_runs}")
        (code / "handler.py").write_text(f"{handler}\n# {number}\n")
        taken.append(_milliseconds(command, environ))
        began = began or _processor_s()
    first, again = taken[0], taken[1:]
    lab.figure("first image of a function", Spread((first,)), "ms", note="with the layer of what it needs")
    used = (_processor_s() - began) / len(again) * 1e3
    note = f"{len(again)} builds, {min(again):.0f} to {max(again):.0f} ms, {used:.0f} ms of them the processor's"
    for percent in (50, 99):
        what = f"changed handler to image, p{percent}"
        lab.figure(what, Spread((percentile(again, percent),)), "ms", budget=budgets.IMAGE_AGAIN_MS, note=note)


def _processor_s() -> float:
    """Return the processor time of all that was run so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _milliseconds(command: list[str], environ: dict[str, str]) -> float:
    before = time.perf_counter()
    done = subprocess.run(command, capture_output=True, timeout=120, env=environ)
    taken = (time.perf_counter() - before) * 1e3
    if done.returncode or b" built." not in done.stdout:
        raise ProgramFailed(f"dayfly build: {done.stderr.decode(errors='replace')[:500]}")
    return taken


def _write_base(folder: Path) -> None:
    """Write an image that says it has this Python, and holds nothing else."""
    layout = Layout.create(folder)
    library = f"usr/local/lib/python3.{sys.version_info.minor}/os.py"
    layer = write_layer(layout, [Content(path=library, data=b"")])
    here = this_machine()
    config = ImageConfig(
        architecture=here.architecture, os=here.os, variant=here.variant, rootfs=RootFs(diff_ids=[layer.diff_id])
    )
    about = layout.put(encode(config), OCI_CONFIG)
    manifest = Manifest(schema_version=2, media_type=OCI_MANIFEST, config=about, layers=[layer.descriptor])
    layout.name(layout.put(encode(manifest), OCI_MANIFEST), "base")
