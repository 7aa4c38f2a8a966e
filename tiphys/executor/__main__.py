"""`python -m tiphys.executor VERB`: what runs beside, before and instead of the user's program in a workflow's pod.

init, wait, resource ACTION, data; kill SIGNAL is the shim's. Each verb imports what it needs.
"""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> int:
    """Run one verb; the exit code."""
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if verb == "init":
        from tiphys.executor.init import main as init  # noqa: PLC0415

        return init()
    if verb == "wait":
        from tiphys.executor.wait import main as wait  # noqa: PLC0415

        return wait()
    if verb == "resource" and rest:
        from tiphys.executor.resource import main as resource  # noqa: PLC0415

        return resource(rest[0])
    if verb == "data":
        from tiphys.executor.listing import main as listing  # noqa: PLC0415

        return listing()
    if verb == "kill" and rest:
        from tiphys.executor.shim import kill  # noqa: PLC0415

        return kill(rest)
    sys.stderr.write("usage: python -m tiphys.executor init | wait | resource ACTION | data | kill SIGNAL\n")
    return 64


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
