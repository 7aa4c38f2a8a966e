"""Analyses by Jobs that do nothing but last and end: their pods' fates are written in their commands."""

from __future__ import annotations

from typing import Any

from runtime.objects import PODS, Object, reference
from tests.controllers.world import Fate
from tests.rollouts.world import RolloutWorld

SLEEPER = "sleeper"
NEVER = 365 * 86400


def fate(pod: Object) -> Fate:
    """Pods of sleepers end when their command says so, and with its code; others serve after a second."""
    container = pod["spec"]["containers"][0]
    if container["name"] != SLEEPER:
        return Fate()
    seconds, code = container["command"][1:]
    return Fate(ready_s=0.1, ends_s=float(seconds), code=int(code))


def sleeper(name: str = "m", *, lasts: object = 1, code: object = 0, **fields: Any) -> Object:
    """A metric that is a Job; `spec` goes into the Job."""
    container = {"name": SLEEPER, "image": "i", "command": ["sleep", str(lasts), str(code)]}
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    job = {"backoffLimit": 0, "template": pod, **fields.pop("spec", {})}
    return {"name": name, "provider": {"job": {"spec": job, **fields.pop("job", {})}}, **fields}


def template(name: str, *metrics: Object, **spec: Any) -> Object:
    """An AnalysisTemplate."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"metrics": list(metrics), **spec},
    }


def sleep_job() -> Object:
    """The template `sleep-job`: how long it lasts and how it ends are arguments."""
    args = [{"name": "duration", "value": "1"}, {"name": "exit-code", "value": "0"}]
    return template("sleep-job", sleeper(lasts="{{args.duration}}", code="{{args.exit-code}}"), args=args)


def sleeping(duration: int = 1, code: int = 0) -> Object:
    """An analysis by it."""
    args = [{"name": "duration", "value": str(duration)}, {"name": "exit-code", "value": str(code)}]
    return {"templates": [{"templateName": "sleep-job"}], "args": args}


def runs(here: RolloutWorld) -> dict[str, str]:
    """The phases of all AnalysisRuns by name."""
    found = here.stored("argoproj.io", "analysisruns")
    return {run["metadata"]["name"]: (run.get("status") or {}).get("phase", "") for run in found}


def phases(here: RolloutWorld, kind: str) -> list[str]:
    """The phases of the runs of a kind: Step, Background, PrePromotion, PostPromotion."""
    return [
        (run.get("status") or {}).get("phase", "")
        for run in here.stored("argoproj.io", "analysisruns")
        if run["metadata"]["labels"].get("rollout-type") == kind
    ]


async def stick(here: RolloutWorld, lasts: int) -> None:
    """The pods of sleepers that last so long cannot have their image."""
    for pod in here.pods():
        container = pod["spec"]["containers"][0]
        if container["name"] == SLEEPER and container["command"][1] == str(lasts):
            waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
            status = {"name": SLEEPER, "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": waiting}
            body = {"status": {"containerStatuses": [status]}}
            await here.api.patch(reference(PODS, pod), body, subresource="status")
