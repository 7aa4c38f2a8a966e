"""What a composite hands out, and what an argument takes in: values and artifacts looked up in a scope.

(STEP-8, PARAM-4, COND-5, ART-2, ART-3, ABS-2, ABS-6.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from actors.contract.repository import DRIVERS, BadLocation, driver_of, with_sub_path
from actors.language.expression import ExpressionError, evaluate, nest
from actors.language.functions import NOTHING, Functions
from actors.language.gotext import printed, quoted
from actors.language.jsontext import parameter_text
from actors.language.render import render
from actors.language.tags import AbsentOptional, SubstitutionError, Unresolvable, Unresolved, substitute

NESTED = re.compile(r"\{\{([^{}=][^{}]*)\{\{([^{}=][^{}]*)\}\}")
ABSENT = "absentOptional"  # marks an argument that refers to an output which was never made (ABS-2)


class BadOutput(Exception):
    """An output of a steps or dag template cannot be computed; the text is the node's message."""


def pure_reference(text: Any) -> str:
    """The name inside a text that is exactly one simple tag, else the empty string."""
    if not isinstance(text, str):
        return ""
    stripped = text.strip()
    if not (stripped.startswith("{{") and stripped.endswith("}}")) or stripped.count("{{") != 1:
        return ""
    name = stripped[2:-2].strip()
    return "" if name.startswith("=") else name


def complete_nested(tree: Any, values: Mapping[str, Any]) -> Any:
    """The tree with tags inside tags (`{{inputs.parameters.{{item}}}}`) replaced, innermost first; other tags stay.

    A value is only ever put between the braces of the tag around it, so what users pass is not expanded again (EXPR-4).
    Raises AbsentOptional for an inner name whose output was never made."""
    if isinstance(tree, str):
        return _completed(tree, values) if tree.count("{{") > 1 else tree
    if isinstance(tree, dict):
        return {key: complete_nested(entry, values) for key, entry in tree.items()}
    if isinstance(tree, list):
        return [complete_nested(entry, values) for entry in tree]
    return tree


def _completed(text: str, values: Mapping[str, Any]) -> str:
    at = 0
    while found := NESTED.search(text, at):
        name = found[2].strip()
        if name in values and values[name] is None:
            raise AbsentOptional(name, f"unable to substitute nested tag {found[0]}: {name} is an absent optional")
        value = values.get(name)
        if isinstance(value, str) and "{" not in value and "}" not in value:
            text = f"{text[: found.start()]}{{{{{found[1]}{value}{text[found.end() :]}"
        else:
            at = found.start() + 2
    return text


def arguments_for(
    arguments: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    unresolved: Unresolvable = "references",
    functions: Functions = NOTHING,
) -> dict[str, Any]:
    """The arguments of a call with everything filled in that its caller knows; what it does not know, as `substitute`.

    A parameter that is nothing but a reference to an absent optional is marked, so that the input's default may take
    its place; anywhere else an absent optional raises AbsentOptional. Artifacts' `from` become locations."""
    result: dict[str, Any] = {}
    parameters = []
    for written in arguments.get("parameters") or ():
        entry = complete_nested(written, values)
        name = pure_reference(entry.get("value"))
        if name and name in values and values[name] is None:
            parameters.append({"name": entry["name"], ABSENT: True})
        else:
            parameters.append(_argument(entry, values, functions, unresolved))
    if parameters:
        result["parameters"] = parameters
    artifacts = []
    for entry in arguments.get("artifacts") or ():
        try:
            artifacts.append(artifact_for(entry, values, functions, unresolved=unresolved))
        except (SubstitutionError, ExpressionError):
            if not entry.get("optional") or not (entry.get("from") or entry.get("fromExpression")):
                raise  # one that comes from elsewhere and may be missing is not passed
    if artifacts:
        result["artifacts"] = artifacts
    return result


def _argument(
    entry: Mapping[str, Any], values: Mapping[str, Any], functions: Functions, unresolved: Unresolvable
) -> dict[str, Any]:
    filled: dict[str, Any] = substitute(entry, values, unresolved=unresolved, functions=functions)
    expression = (filled.get("valueFrom") or {}).get("expression")
    if expression is not None:
        return {"name": filled["name"], "value": render(evaluate(expression, nest(values), functions=functions))}
    if filled.get("value") is not None:
        filled["value"] = parameter_text(filled["value"])
    return filled


def artifact_for(
    entry: Mapping[str, Any],
    values: Mapping[str, Any],
    functions: Functions = NOTHING,
    *,
    unresolved: Unresolvable = "references",
) -> dict[str, Any]:
    """An artifact argument with its location: from another node, from an expression, or as it says itself."""
    found: Mapping[str, Any] | None = None
    if entry.get("from"):
        name = _from_name(entry["from"], values)
        found = values.get(name)
        if found is None and name not in values:
            raise Unresolved(name, f'Unable to resolve: "{name}"')
    elif entry.get("fromExpression"):
        found = evaluate(str(entry["fromExpression"]), nest(values), functions=functions)
        if not isinstance(found, Mapping):
            found = None
    else:
        whole = complete_nested(dict(entry), values)
        filled: dict[str, Any] = substitute(whole, values, unresolved=unresolved, functions=functions)
        return filled
    if not found or not driver_of(found):
        return {"name": entry["name"], ABSENT: True}
    located = {key: value for key, value in found.items() if key not in {"name", "globalName", "optional"}}
    if entry.get("subPath"):
        location = {driver: located[driver] for driver in DRIVERS if driver in located}
        below = with_sub_path(location, str(substitute(entry["subPath"], values, unresolved="references")))
        located = {**located, **below}
    return {**located, "name": entry["name"]}


def _from_name(text: str, values: Mapping[str, Any]) -> str:
    inner = str(complete_nested(text.strip(), values))
    if inner.startswith("{{") and inner.endswith("}}"):
        inner = inner[2:-2]
    return inner.strip()


def composite_outputs(
    template: Mapping[str, Any], values: Mapping[str, Any], functions: Functions = NOTHING
) -> dict[str, Any] | None:
    """`outputs` of a finished steps or dag template; None when it declares none. Raises BadOutput."""
    declared = template.get("outputs") or {}
    result: dict[str, Any] = {}
    parameters = [_output(entry, values, functions) for entry in declared.get("parameters") or ()]
    if parameters:
        result["parameters"] = parameters
    artifacts = []
    for entry in declared.get("artifacts") or ():
        if not (entry.get("from") or entry.get("fromExpression") or driver_of(entry)):
            continue
        try:
            found = artifact_for(entry, values, functions)
            if found.get(ABSENT) and entry.get("from"):
                found = _placeholder(entry, values)
        except (SubstitutionError, ExpressionError) as error:
            if entry.get("optional"):
                continue
            raise BadOutput(f"unable to resolve outputs from scope: {error}") from error
        except BadLocation as error:
            raise BadOutput(f"unable to resolve outputs from scope: {error}") from error
        if found.get(ABSENT):
            if entry.get("optional"):
                continue
            raise BadOutput(f"outputs.artifacts.{entry['name']}: the expression gives no artifact")
        kept = {key: entry[key] for key in ("globalName",) if key in entry}
        artifacts.append({**found, **kept})
    if artifacts:
        result["artifacts"] = artifacts
    return result or None


def _placeholder(entry: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """What stands for an artifact that a skipped node did not make: of a step an entry without a place (STEP-8), of a
    task nothing (ABS-7)."""
    name = _from_name(entry["from"], values)
    if name.startswith("tasks.") and not values.get(name):
        raise Unresolved(name, f'Unable to resolve: "{name}"')
    return {"name": entry["name"]}


def _output(entry: Mapping[str, Any], values: Mapping[str, Any], functions: Functions) -> dict[str, Any]:
    source = entry.get("valueFrom")
    if source is None:
        raise BadOutput("output parameters must have a valueFrom specified")
    default = source.get("default")
    try:
        value = _output_value(source, values, functions)
    except (SubstitutionError, ExpressionError) as error:
        if default is None:
            raise BadOutput(str(error)) from error
        value = None
    if value is None:
        if default is None:
            what = f'output parameter "{entry["name"]}": "{source.get("parameter") or ""}"'
            raise BadOutput(f"{what} is an absent optional (skipped/omitted node output with no default)")
        value = parameter_text(default)
    kept = {key: substitute(entry[key], values) for key in ("globalName", "description") if key in entry}
    return {"name": entry["name"], **kept, "value": value}


def _output_value(source: Mapping[str, Any], values: Mapping[str, Any], functions: Functions) -> str | None:
    if source.get("expression") is not None:
        found = evaluate(str(source["expression"]), nest(values), functions=functions)
        if found is None and source.get("default") is None:
            raise BadOutput(f"failed to evaluate expression {quoted(str(source['expression']))}")
        return None if found is None else printed(found)  # as Go prints it, which only of text and numbers is JSON
    text = source.get("parameter")
    if isinstance(text, str) and text.strip() in values:
        text = f"{{{{{text.strip()}}}}}"  # a name without its braces is a reference here
    reference = pure_reference(text)
    if reference and reference in values and values[reference] is None:
        return None
    try:
        return str(substitute(text, values, unresolved="references", functions=functions))
    except AbsentOptional:
        return None
    except Unresolved as error:
        raise Unresolved(error.tag, f'Unable to resolve: "{error.tag}"') from error
