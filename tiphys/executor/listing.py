"""`data` is the main program of a data template: it lists what a store keeps, transforms the list, and reports it.

The result is JSON, on its log and in its frame; it ends with 0, or with 64 and the reason as its message
(DATA-1, DATA-2).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors.contract import paths
from actors.contract.documents import Content, Instructions
from actors.contract.frame import RESULT_BYTES_MAX
from actors.contract.instructions import from_env
from tiphys.executor.log import Log
from tiphys.executor.redaction import redacted
from tiphys.executor.shim import hold, report, shim_directory

FAILED = 64


def main() -> int:
    """Run as the main container of a data template; the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))  # as process 1 we would ignore it
    told = from_env(os.environ)
    directory = shim_directory()
    lock = hold(f"{directory}/{paths.lock_file(told['container'])}")
    log = Log(Path(directory, paths.log_file(told["container"])) if told.get("keep_log") else None)
    content = _content(told)
    log.say(content.get("result", "") or content.get("message", ""))
    report(content, told, directory)
    os.close(lock)
    return content["code"]


def transformed(listed: Any, expressions: Sequence[str]) -> Any:
    """Each expression over what the one before made, known to it as `data`. Raises ValueError, which says which."""
    from actors.language.expression import evaluate  # noqa: PLC0415  (after the lock is held)

    for number, expression in enumerate(expressions):
        try:
            listed = evaluate(expression, {"data": listed})
        except (TypeError, ValueError) as error:  # an ExpressionError is one
            step = f"error processing data step {number}"
            raise ValueError(f"unable to process data transformation: {step}: {error}") from error
    return listed


def _content(told: Instructions) -> Content:
    from actors.language.jsontext import dumps  # noqa: PLC0415  (as above)
    from tiphys.executor import artifacts  # noqa: PLC0415
    from tiphys.executor.transfer import repository_mount, with_retries  # noqa: PLC0415

    location, root = told["listing"]["location"], told.get("repository_root", "")
    try:
        listed = with_retries(lambda: artifacts.list_keys(location, root=root, mount=repository_mount()))
        result = dumps(transformed(listed, told.get("transformation", ())))
    except (artifacts.StoreError, OSError) as error:
        return _failed(f"unable to process data source: unable to source artifact paths: {error}")
    except (TypeError, ValueError) as error:
        return _failed(str(error))
    if len(result) > RESULT_BYTES_MAX:
        return {
            "code": FAILED,
            "message": f"the result has {len(result)} bytes, more than {RESULT_BYTES_MAX}: list less, or filter more",
        }
    return {"code": 0, "result": result}


def _failed(why: str) -> Content:
    return {"code": FAILED, "message": redacted(f"unable to process data template: {why}")}
