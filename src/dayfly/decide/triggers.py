"""Whether a trigger may be: what of it can be judged without running it, and who may ask for what.

Sources connect from the control plane's network. So only the installation's administrator names any host; a namespace
names those that the operator listed, spelled as they are listed: what a name leads to is the operator's business.
"""

from pathlib import PurePosixPath

from dayfly.decide.cron import Schedule
from dayfly.decide.expressions import Expression
from dayfly.model.errors import Forbidden, InvalidSpec
from dayfly.model.reach import Reach
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_source import CronSource, FilesSource, FunctionSource


def check_trigger(spec: TriggerSpec) -> None:
    """Refuse what cannot be kept or would not work. Raises InvalidName, InvalidSpec."""
    spec.check()
    if isinstance(spec.source, CronSource):
        _check_schedule(spec.source)
    if isinstance(spec.source, FunctionSource) and spec.source.name == spec.function and not spec.flow:
        raise InvalidSpec(f"function: {spec.function} would call itself for its own end, without end")
    if spec.filter:
        try:
            Expression.of(spec.filter)
        except InvalidSpec as error:
            raise InvalidSpec(f"filter: {error.message}", hint=error.hint) from error


def _check_schedule(source: CronSource) -> None:
    try:
        Schedule(source.schedule, source.timezone, zone_field="timezone")
    except InvalidSpec as error:
        raise InvalidSpec(f"source.{error.message}", hint=error.hint) from error


def check_reach(spec: TriggerSpec, before: TriggerSpec | None, reach: Reach, *, is_admin: bool) -> None:
    """Refuse a source that whoever asks may not read from; one that is there already may stay. Raises Forbidden.

    `is_admin` says that the installation's administrator asks.
    """
    if before is not None and before.source == spec.source:
        return
    if isinstance(spec.source, FilesSource):
        if not is_admin:
            raise Forbidden("only the installation's administrator makes triggers that take files from a folder")
        check_folder(spec.source, reach)
    barred = [str(each) for each in spec.source.endpoints if str(each) not in reach.endpoints]
    if barred and not is_admin:
        raise Forbidden(
            f"triggers of the namespace {spec.namespace} may not connect to {barred[0]}",
            hint=f"the operator can list it: DAYFLY_TRIGGER_ALLOW={','.join((*reach.endpoints, barred[0]))}",
        )


def check_folder(source: FilesSource, reach: Reach) -> None:
    """Refuse a folder that the operator did not name, nor one above it. Raises Forbidden."""
    folder = PurePosixPath(source.folder)
    if not any(folder.is_relative_to(each) for each in reach.folders):
        raise Forbidden(
            f"source.folder: {source.folder} is below none of the folders that triggers may read",
            hint=f"the operator can name it: DAYFLY_TRIGGER_FOLDERS={','.join((*reach.folders, source.folder))}",
        )
