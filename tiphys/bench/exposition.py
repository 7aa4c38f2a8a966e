"""The numbers in a Prometheus exposition, as plain values."""

from __future__ import annotations

from collections import Counter

REQUESTS = ("apiserver_request_total", "apiserver_request")


def samples(text: str) -> dict[str, float]:
    """Every sample by its name and labels, as written."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            try:
                found[name] = float(value)
            except ValueError:
                continue
    return found


def requests(text: str) -> dict[str, float]:
    """Requests that an API server has served, by verb and resource; reads and watches too."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415  a slow import

    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        if family.name not in REQUESTS:
            continue
        for sample in family.samples:
            found[f"{sample.labels.get('verb', '?')} {sample.labels.get('resource', '?')}"] += int(sample.value)
    return {name: float(number) for name, number in found.items()}


def difference(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """What was added between two readings; nothing that stayed as it was."""
    return {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name, 0.0)}
