"""Arguments become text, and the tags `{{args.name}}` of a metric become that text. Pure.

The tree of a metric is walked, never its JSON text, so no value can break the document; every string is looked at, the
keys of maps too. There are no expressions in these tags: a tag is the name of an argument or a mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from actors.language.gotext import printed
from actors.names.durations import parse_duration
from actors.names.timestamps import rfc3339, seconds

Argument = Mapping[str, Any]
"""As a spec writes it: name, value, valueFrom."""

LATEST, STABLE = "Latest", "Stable"
UNREAD_SECRET = "temp-for-secret"  # noqa: S105  # stands for a Secret's text where only the shape matters
NESTING_MAX = 100
_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_STEPS = re.compile(r"[.\[\]]+")
_SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\[['\"](.+)['\"]\]$")


class ArgumentError(ValueError):
    """An argument without a value, or a reference that leads nowhere."""


# ----------------------------------------------------------------------------------------------------- tags


def substituted(tree: Any, values: Mapping[str, str]) -> Any:
    """The tree with every tag replaced; `values` by the name inside the braces. Raises ArgumentError."""
    return _walk(tree, lambda text: _replaced(text, values), 0)


def _walk(tree: Any, change: Callable[[str], str], depth: int) -> Any:
    if depth > NESTING_MAX:
        raise ArgumentError(f"a metric may nest {NESTING_MAX} levels")
    if isinstance(tree, str):
        return change(tree)
    if isinstance(tree, Mapping):
        return {change(key): _walk(value, change, depth + 1) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_walk(item, change, depth + 1) for item in tree]
    return tree


def _replaced(text: str, values: Mapping[str, str]) -> str:
    if "{{" not in text:
        return text

    def value(found: re.Match[str]) -> str:
        known = values.get(found[1].strip())
        if known is None:
            raise ArgumentError(f"failed to resolve {{{{{found[1]}}}}}")
        return known

    done = _TAG.sub(value, text)
    if "{{" in _TAG.sub("", text):
        raise ArgumentError(f'cannot find the end of the tag that begins in "{text}"')
    return done


def resolved_metric(metric: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """A metric with its arguments in place; `values` by argument name. Raises ArgumentError."""
    done: dict[str, Any] = substituted(metric, {f"args.{name}": value for name, value in values.items()})
    return done


# ------------------------------------------------------------------------------------------------- of a run


def argument_values(
    arguments: Iterable[Argument], run: Mapping[str, Any], secret: Callable[[str, str], str] | None = None
) -> dict[str, str]:
    """The text of every argument of an AnalysisRun; `secret(name, key)` reads, without it a stand-in is given.

    Raises ArgumentError for an argument without a value, used or not."""
    values: dict[str, str] = {}
    for argument in arguments:
        name, source = argument["name"], argument.get("valueFrom") or {}
        key = source.get("secretKeyRef")
        if key is not None:
            values[name] = secret(key["name"], key["key"]) if secret else UNREAD_SECRET
        elif argument.get("value") is not None:
            values[name] = str(argument["value"])
        elif source.get("fieldRef") is not None:
            values[name] = field_text(run, source["fieldRef"].get("fieldPath") or "", "analysis run")
        else:
            raise ArgumentError(f'argument "{name}" was not supplied')
    return values


def secrets_of(arguments: Iterable[Argument]) -> list[str]:
    """The names of the Secrets that arguments refer to, each once."""
    keys = [(argument.get("valueFrom") or {}).get("secretKeyRef") for argument in arguments]
    return list(dict.fromkeys(key["name"] for key in keys if key))


# --------------------------------------------------------------------------------------------- of a rollout


def rollout_arguments(
    arguments: Iterable[Argument], rollout: Mapping[str, Any], *, stable_hash: str, latest_hash: str
) -> list[dict[str, Any]]:
    """What a Rollout passes to its runs: name and value each. Raises ArgumentError for a path that leads nowhere."""
    done: list[dict[str, Any]] = []
    for argument in arguments:
        value, source = argument.get("value") or "", argument.get("valueFrom") or {}
        which = source.get("podTemplateHashValue")
        if which is not None:
            value = {LATEST: latest_hash, STABLE: stable_hash}.get(which, value)
        elif source.get("fieldRef") is not None:
            value = field_text(rollout, source["fieldRef"].get("fieldPath") or "", "rollout")
        done.append({"name": argument["name"], "value": str(value)})
    return done


def field_text(thing: Mapping[str, Any], path: str, kind: str) -> str:
    """The text of a field: `metadata…` as the downward API reads it, anything else a path into the JSON."""
    return _metadata_text(thing, path) if path.startswith("metadata") else _json_text(thing, path, kind)


def _metadata_text(thing: Mapping[str, Any], path: str) -> str:
    meta = thing.get("metadata") or {}
    subscript = _SUBSCRIPT.match(path)
    if subscript is not None:
        return str((meta.get(subscript[1]) or {}).get(subscript[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        entries = meta.get(path.partition(".")[2]) or {}
        return "\n".join(f'{key}="{value}"' for key, value in sorted(entries.items()))
    if path in ("metadata.name", "metadata.namespace", "metadata.uid"):
        return str(meta.get(path.partition(".")[2]) or "")
    raise ArgumentError(f"unsupported fieldPath: {path}")


def _json_text(thing: Mapping[str, Any], path: str, kind: str) -> str:
    found: Any = thing
    for section in filter(None, _STEPS.split(path)):
        if isinstance(found, list):
            if not section.isdecimal():
                raise ArgumentError(f"invalid index '{section}'")
            if int(section) >= len(found):
                raise ArgumentError(f"index {int(section)} out of range")
            found = found[int(section)]
        elif isinstance(found, Mapping):
            found = found.get(section)
        else:
            raise ArgumentError(f"invalid path {path} in {kind}")
    if found is None:
        raise ArgumentError(f"invalid path {path} in {kind}")
    if isinstance(found, list | Mapping):
        raise ArgumentError(f"path {path} in {kind} must terminate in a primitive value")
    return printed(float(found) if isinstance(found, int) and not isinstance(found, bool) else found)


# ------------------------------------------------------------------------------------------ of an experiment


def experiment_arguments(
    arguments: Iterable[Argument], experiment: Mapping[str, Any], replica_sets: Mapping[str, tuple[str, str]]
) -> list[dict[str, Any]]:
    """What an Experiment passes to a run; `replica_sets`: template -> name and pod hash. Raises ArgumentError.

    Arguments of a Secret or a field are handed on as they are, and read when the run measures."""
    values: dict[str, str] = {}
    available_at = (experiment.get("status") or {}).get("availableAt")
    if available_at:
        values["experiment.availableAt"] = available_at
        duration = experiment["spec"].get("duration")
        if duration:
            values["experiment.finishedAt"] = rfc3339(seconds(available_at) + parse_duration(duration))
    for template, (name, pod_hash) in replica_sets.items():
        values[f"templates.{template}.podTemplateHash"] = pod_hash
        values[f"templates.{template}.replicaset.name"] = name
    done: list[dict[str, Any]] = []
    for argument in arguments:
        passed = {key: argument[key] for key in ("name", "valueFrom") if argument.get(key) is not None}
        if argument.get("value") is not None:
            passed["value"] = substituted(argument["value"], values)
        done.append(passed)
    return done
