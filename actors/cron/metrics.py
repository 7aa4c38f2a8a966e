"""What is counted of CronWorkflows, under upstream's names."""

from __future__ import annotations

from typing import Final

from runtime.messages import Address, Measure
from runtime.metric import Metric

TRIGGERED: Final = "cronworkflows_triggered_total"
POLICY: Final = "cronworkflows_concurrencypolicy_triggered"
ERRORS: Final = "error_count"
SUBMISSION_ERROR: Final = "CronWorkflowSubmissionError"
SPEC_ERROR: Final = "CronWorkflowSpecError"
PANIC: Final = "OperationPanic"  # an exception in a mind
CAUSES: Final = (PANIC, SUBMISSION_ERROR, SPEC_ERROR)

_TRIGGERED = Metric(TRIGGERED, "counter", "Runs of CronWorkflows that were submitted.", ("name", "namespace"))
_POLICY = Metric(POLICY, "counter", "Runs that met active ones.", ("name", "namespace", "concurrency_policy"))
_ERRORS = Metric(ERRORS, "counter", "Errors, by their cause.", ("cause",))


def errors(cause: str, number: float) -> Measure:
    """So many errors more of this cause."""
    return Measure(ERRORS, number, (("cause", cause),), _ERRORS)


def triggered(address: Address) -> Measure:
    """A run is submitted."""
    return Measure(TRIGGERED, 1.0, (("name", address.name), ("namespace", address.namespace)), _TRIGGERED)


def policy_triggered(address: Address, policy: str) -> Measure:
    """A run met active ones, and the concurrency policy spoke."""
    names = (("name", address.name), ("namespace", address.namespace), ("concurrency_policy", policy))
    return Measure(POLICY, 1.0, names, _POLICY)


def submission_failed() -> Measure:
    """A run could not be submitted."""
    return errors(SUBMISSION_ERROR, 1.0)


def unfit() -> Measure:
    """A CronWorkflow cannot run as it is written."""
    return errors(SPEC_ERROR, 1.0)
