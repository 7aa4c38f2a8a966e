"""What a template looks like once its inputs are known: arguments meet inputs, then tags are filled in.

The order is upstream's: globals and locals first (so an input's value may name a global), then the inputs, into the
inputs themselves, too (so one may name another, once). What an input's value put into the body of a pod is looked at
once more, as the pod's manifest is upstream; in all other bodies their calls are. (PARAM-1, PARAM-2, ABS-1..4, ART-2,
EXPR-12.)
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from actors.arguments import ABSENT, complete_nested
from actors.contract.repository import driver_of
from actors.language.functions import NOTHING, Functions
from actors.language.jsontext import parameter_text, parameters_text
from actors.language.tags import SubstitutionError, substitute
from actors.names import ids
from actors.names.config_maps import UNLABELLED, lacking
from actors.run import Call
from actors.templates import POD_TYPES, template_type

COMPOSITES = frozenset({"steps", "dag"})
OF_CALLS = ("steps", "dag", "outputs")  # of a composite: what its calls are, and what becomes of theirs
GLOBAL_OUTPUTS = "workflow.outputs"
KEPT_OF_INPUT = ("name", "path", "mode", "recurseMode", "optional")  # an argument replaces all else of an artifact


class BadInputs(Exception):
    """The arguments do not satisfy the template; the text is the node's message."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A template ready to run: every tag that can be known is filled in."""

    template: dict[str, Any]
    inputs: dict[str, Any]
    variables: dict[str, Any]  # inputs.*, node.name, …: what is the template's own beside the globals


def config_maps(call: Call) -> list[tuple[str, bool]]:
    """Names of the ConfigMaps that inputs or arguments take values from, and whether each may be absent."""
    given = {entry["name"]: entry for entry in call.arguments.get("parameters") or ()}
    found = []
    for declared in (call.template.get("inputs") or {}).get("parameters") or ():
        source = _config_map_source(declared, given.get(declared["name"]))
        if source:
            optional = bool(source["configMapKeyRef"].get("optional")) or source.get("default") is not None
            with suppress(SubstitutionError):  # told when the input is to have its value
                found.append((_entry(call, source)[0], optional))
    return found


def _entry(call: Call, source: Mapping[str, Any]) -> tuple[str, str]:
    """The ConfigMap and the key in it that a source names; only globals can be known. Raises SubstitutionError."""
    wanted, known = source["configMapKeyRef"], call.run.globals()
    name, key = (substitute(wanted.get(part, ""), known, unresolved="fail") for part in ("name", "key"))
    return name, key


def instantiate(
    call: Call, config: Mapping[str, Mapping[str, str] | None] | None = None, functions: Functions = NOTHING
) -> Instance:
    """The template of `call` with its inputs resolved and substituted. Raises BadInputs or a SubstitutionError.

    `config` has the contents of `config_maps(call)`, None for one that does not exist."""
    parameters, artifacts = _parameters(call, config or {}), _artifacts(call)
    body = {key: value for key, value in call.template.items() if key != "inputs"}
    plain = _without_tags({"parameters": parameters, "artifacts": artifacts, "body": body})
    if plain is not None:
        inputs = {key: plain[key] for key in ("parameters", "artifacts") if plain[key]}
        own = local_variables(call) | input_variables(inputs) | _output_paths(plain["body"])
        return Instance({**plain["body"], "inputs": inputs} if inputs else plain["body"], inputs, own)
    known = {**texts(call.run.globals()), **local_variables(call)}
    composite = template_type(call.template) in COMPOSITES
    if composite:
        del known["workflow.duration"]  # its calls say how long it is by then
    parameters = substitute(parameters, known, functions=functions)
    artifacts = substitute(artifacts, known, functions=functions)
    inputs = {key: value for key, value in (("parameters", parameters), ("artifacts", artifacts)) if value}
    calls = {key: body.pop(key) for key in OF_CALLS if composite and key in body}
    body = substitute(body, known, functions=functions)
    own = local_variables(call) | input_variables(inputs) | _output_paths(body)
    values = texts(known | own)
    body = substitute(complete_nested(body, values), values, functions=functions)
    body |= _calls_filled(calls, known, values, functions)
    if _has_tags(inputs):
        inputs = substitute(complete_nested(inputs, values), values, functions=functions)
        own |= input_variables(inputs)
        if template_type(call.template) in POD_TYPES:
            values = texts(call.run.globals() | own)
            body = substitute(complete_nested(body, values), values, functions=functions)
    if inputs:
        body["inputs"] = inputs
    return Instance(body, inputs, own)


def _calls_filled(
    calls: Mapping[str, Any], known: Mapping[str, Any], values: Mapping[str, Any], functions: Functions
) -> dict[str, Any]:
    """The calls of a composite as far as they can be filled in before they are made: what of the global outputs is
    known by then they say themselves, since those inside it may make others (PARAM-7)."""
    for each in (known, values):
        lasting = {name: value for name, value in each.items() if not name.startswith(f"{GLOBAL_OUTPUTS}.")}
        written = calls if each is known else complete_nested(calls, lasting)
        calls = substitute(written, lasting, functions=functions, late=frozenset({GLOBAL_OUTPUTS}))
    return dict(calls)


def _without_tags(tree: dict[str, Any]) -> dict[str, Any] | None:
    """A copy of a tree in which nothing is to be filled in; None when there may be something."""
    try:
        text = orjson.dumps(tree)
    except TypeError:  # a number beyond 64 bits
        return None
    if b"{{" in text:
        return None
    copy: dict[str, Any] = orjson.loads(text)
    return copy


def _has_tags(inputs: Mapping[str, Any]) -> bool:
    return any("{{" in str(entry.get("value", "")) for entry in inputs.get("parameters") or ()) or any(
        "{{" in str(entry) for entry in inputs.get("artifacts") or ()
    )


def texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a tag can stand for: artifacts are for `from` and expressions, never for text."""
    return {name: value for name, value in values.items() if not isinstance(value, dict)}


def local_variables(call: Call) -> dict[str, Any]:
    """What every template may say about its own node (§ variables: template scope)."""
    local: dict[str, Any] = {"node.name": call.node_name, **call.variables}
    if template_type(call.template) in POD_TYPES and not call.repeated:  # each attempt has a pod of its own
        local["pod.name"] = ids.pod_name(call.run.name, call.node_name, call.resolved.name)
    if call.kind and call.caller:
        local[f"{call.kind}.name"] = call.caller
    return local


def input_variables(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """`inputs.*` as flat names; artifacts stand as their declaration, for `from` and `fromExpression`."""
    values: dict[str, Any] = {}
    parameters = inputs.get("parameters") or ()
    for entry in parameters:
        values[f"inputs.parameters.{entry['name']}"] = entry.get("value", "")
    values["inputs.parameters"] = parameters_text(parameters)
    for entry in inputs.get("artifacts") or ():
        values[f"inputs.artifacts.{entry['name']}"] = entry
        if entry.get("path"):
            values[f"inputs.artifacts.{entry['name']}.path"] = entry["path"]
    return values


def _output_paths(template: Mapping[str, Any]) -> dict[str, str]:
    outputs = template.get("outputs") or {}
    paths = {}
    for entry in outputs.get("parameters") or ():
        path = (entry.get("valueFrom") or {}).get("path")
        if path:
            paths[f"outputs.parameters.{entry['name']}.path"] = path
    for entry in outputs.get("artifacts") or ():
        if entry.get("path"):
            paths[f"outputs.artifacts.{entry['name']}.path"] = entry["path"]
    return paths


def _parameters(call: Call, config: Mapping[str, Mapping[str, str] | None]) -> list[dict[str, Any]]:
    given = {entry["name"]: entry for entry in call.arguments.get("parameters") or ()}
    return [
        _parameter(call, declared, given.get(declared["name"]), config)
        for declared in (call.template.get("inputs") or {}).get("parameters") or ()
    ]


def _parameter(
    call: Call,
    declared: Mapping[str, Any],
    argument: Mapping[str, Any] | None,
    config: Mapping[str, Mapping[str, str] | None],
) -> dict[str, Any]:
    """One input's value: its argument's, a ConfigMap's, its own, its default (PARAM-2, PARAM-3)."""
    name = declared["name"]
    entry = {**_described(declared), "name": name}
    source = _config_map_source(declared, argument)
    if source:
        return {**entry, "valueFrom": source, "value": _from_config_map(call, name, source, config)}
    absent = bool(argument and argument.get(ABSENT))
    if argument is not None and not absent and argument.get("value") is not None:
        whence = {"valueFrom": argument["valueFrom"]} if _names_config_map(argument) else {}
        return {**entry, "value": parameter_text(argument["value"]), **whence}
    for own in (declared.get("value"), declared.get("default")):
        if own is not None:
            return {**entry, "value": parameter_text(own)}
    if absent:
        why = "argument references an absent optional (skipped/omitted node output with no default)"
        raise BadInputs(f"inputs.parameters.{name}: {why}")
    if (declared.get("valueFrom") or {}).get("supplied") is not None:
        return entry
    raise BadInputs(f"inputs.parameters.{name} was not supplied")


def _described(declared: Mapping[str, Any]) -> dict[str, Any]:
    return {key: declared[key] for key in ("default", "enum", "description") if key in declared}


def _names_config_map(entry: Mapping[str, Any]) -> bool:
    return bool((entry.get("valueFrom") or {}).get("configMapKeyRef"))


def _config_map_source(declared: Mapping[str, Any], argument: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The `valueFrom` whose ConfigMap has the input's value: the argument's, else its own; None when none has."""
    if argument is not None and not argument.get(ABSENT):
        if argument.get("value") is not None:
            return None
        if _names_config_map(argument):
            return dict(argument["valueFrom"])
    return dict(declared["valueFrom"]) if _names_config_map(declared) else None


def _from_config_map(
    call: Call, name: str, source: Mapping[str, Any], config: Mapping[str, Mapping[str, str] | None]
) -> str:
    """The value of input `name`: the entry's, or the source's own default where the entry does not exist."""
    try:
        place, key = _entry(call, source)
    except SubstitutionError as error:
        raise BadInputs(f"failed to substitute configMapKeyRef: {error}") from error
    offered = config.get(place)
    found = (offered or {}).get(key)
    if found is not None:
        return found
    if source.get("default") is None or offered is UNLABELLED:
        raise BadInputs(f"unable to retrieve inputs.parameters.{name} from ConfigMap: {lacking(place, key, offered)}")
    return parameter_text(source["default"])


def _artifacts(call: Call) -> list[dict[str, Any]]:
    given = {entry["name"]: entry for entry in call.arguments.get("artifacts") or ()}
    resolved = []
    for declared in (call.template.get("inputs") or {}).get("artifacts") or ():
        passed = given.get(declared["name"])
        argument = passed if passed is not None and driver_of(passed) else None
        if argument is not None:
            kept = {key: declared[key] for key in KEPT_OF_INPUT if key in declared}
            moved = {key: value for key, value in argument.items() if key not in KEPT_OF_INPUT and key != ABSENT}
            resolved.append({**moved, **kept, **({"optional": True} if argument.get("optional") else {})})
        elif driver_of(declared) or declared.get("optional"):  # one that is not passed has its path all the same
            resolved.append(dict(declared))
        else:
            lacks = "was not supplied" if passed is None else "missing location information"
            raise BadInputs(f"inputs.artifacts.{declared['name']} {lacks}")
    return resolved
