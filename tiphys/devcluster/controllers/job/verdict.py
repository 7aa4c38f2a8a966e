"""Is a job at its end, and why? Pure."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.objects import Object
from tiphys.devcluster.controllers.conditions import Condition, condition, holds
from tiphys.devcluster.controllers.job import success
from tiphys.devcluster.controllers.job.policy import judge
from tiphys.devcluster.controllers.job.tally import Tally
from tiphys.devcluster.controllers.job.workers import is_failed
from tiphys.devcluster.controllers.podstate import is_active, phase
from tiphys.devcluster.controllers.times import seconds

SUCCESS = "SuccessCriteriaMet"
FAILURE = "FailureTarget"


def is_finished(job: Object) -> bool:
    """Whether the end of the job is on record."""
    status = job.get("status") or {}
    return holds(status, "Complete") or holds(status, "Failed")


def target(status: Object) -> Condition | None:
    """The end that was decided, while pods are still waited for."""
    for kind in (FAILURE, SUCCESS):
        found = condition(status, kind)
        if found is not None and found["status"] == "True":
            return Condition(kind, "True", found["reason"], found["message"])
    return None


def final(decided: Condition) -> Condition:
    """The condition of a finished job whose end was decided so."""
    return decided._replace(type="Failed" if decided.type == FAILURE else "Complete")


def deadline_at(job: Object) -> float | None:
    """When the job has been active for too long (seconds since the epoch); None without a limit or while suspended."""
    limit_s, start = job["spec"].get("activeDeadlineSeconds"), (job.get("status") or {}).get("startTime")
    if limit_s is None or not start or job["spec"].get("suspend"):
        return None
    return seconds(start) + float(limit_s)


def verdict(job: Object, pods: Sequence[Object], counts: Tally, now: float) -> Condition | None:
    """How the job has to end; None while it has to go on."""
    spec = job["spec"]
    for pod in pods:
        if is_failed(job, pod):
            judgement = judge(job, pod)
            if judgement.action == "FailJob":
                return Condition(FAILURE, "True", "PodFailurePolicy", judgement.message)
    limit = int(spec.get("backoffLimit", 6))
    if counts.all_failed > limit or _restarts_exceed(job, pods, limit):
        return Condition(FAILURE, "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    late = deadline_at(job)
    if late is not None and now >= late:
        return Condition(FAILURE, "True", "DeadlineExceeded", "Job was active longer than specified deadline")
    if (over := _indexes_failed(job, counts)) is not None:
        return over
    if rule := success.met(job, counts.completed):
        return Condition(SUCCESS, "True", "SuccessPolicy", rule)
    if _is_complete(job, pods, counts):
        return Condition(SUCCESS, "True", "CompletionsReached", "Reached expected number of succeeded pods")
    return None


def _indexes_failed(job: Object, counts: Tally) -> Condition | None:
    spec, failed = job["spec"], len(counts.failed_indexes)
    if not failed:
        return None
    if spec.get("maxFailedIndexes") is not None and failed > int(spec["maxFailedIndexes"]):
        message = "Job has exceeded the specified maximal number of failed indexes"
        return Condition(FAILURE, "True", "MaxFailedIndexesExceeded", message)
    if failed + len(counts.completed - counts.failed_indexes) >= int(spec["completions"]):
        return Condition(FAILURE, "True", "FailedIndexes", "Job has failed indexes")
    return None


def _is_complete(job: Object, pods: Sequence[Object], counts: Tally) -> bool:
    completions = job["spec"].get("completions")
    if completions is None:
        return counts.all_succeeded > 0 and not any(is_active(pod) for pod in pods)
    return counts.all_succeeded >= int(completions)


def _restarts_exceed(job: Object, pods: Sequence[Object], limit: int) -> bool:
    """Where containers are restarted in place, their restarts are the failures that count."""
    if (job["spec"]["template"].get("spec") or {}).get("restartPolicy") != "OnFailure":
        return False
    total = 0
    for pod in pods:
        if phase(pod) in ("Running", "Pending"):
            status = pod.get("status") or {}
            entries = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
            total += sum(int(entry.get("restartCount") or 0) for entry in entries)
    return total > 0 if limit == 0 else total >= limit
