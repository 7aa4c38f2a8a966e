"""`python -m tiphys.executor VERB`: what runs beside, before and instead of the user's program in a workflow's pod.

init, wait, resource ACTION, data, agent [init], artifact delete; kill SIGNAL is the shim's. Each imports what it needs.
"""

from __future__ import annotations

import sys


def main(arguments: list[str]) -> int:
    """Run one verb; the exit code. What nobody expected is told like everything else: without what is secret."""
    try:
        return run(arguments)
    except Exception:  # noqa: BLE001  (whatever it is, somebody must be able to read where it happened)
        import traceback  # noqa: PLC0415

        from tiphys.executor.redaction import redacted  # noqa: PLC0415

        sys.stderr.write(redacted(traceback.format_exc()))
        return 1


def run(arguments: list[str]) -> int:
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
    if verb == "artifact" and rest == ["delete"]:
        from tiphys.executor.discard import main as discard  # noqa: PLC0415

        return discard()
    if verb == "agent" and rest == ["init"]:
        from tiphys.executor.agent_init import main as agent_init  # noqa: PLC0415

        return agent_init()
    if verb == "agent":
        from tiphys.executor.agent import main as agent  # noqa: PLC0415

        return agent()
    if verb == "kill" and rest:
        from tiphys.executor.shim import kill  # noqa: PLC0415

        return kill(rest)
    verbs = "init | wait | resource ACTION | data | agent | artifact delete | kill SIGNAL"
    sys.stderr.write(f"usage: python -m tiphys.executor {verbs}\n")
    return 64


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
