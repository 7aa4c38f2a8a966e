"""What to do about a finding whose words are upstream's, and tell only what is wrong. Pure."""

from __future__ import annotations

import re
from typing import Final

_GUESS: Final = re.compile(r"did you mean [^?]*\?")
_REMEDIES: Final = tuple(
    (re.compile(pattern), remedy)
    for pattern, remedy in (
        (
            r"failed to resolve \{\{",
            "known here are the template's own inputs, outputs of earlier steps or dependencies, and global variables",
        ),
        (
            r"task result '.*' for task",
            "write Succeeded, Failed, Errored, Skipped, Omitted, Daemoned, AnySucceeded or AllFailed",
        ),
        (r"template name '.*' undefined", "define it under templates, or refer to another object's by templateRef"),
        (r"template reference .* not found", "apply its WorkflowTemplate first, or give its file to lint as well"),
        (r"cron schedule .* is malformed", "write minute, hour, day, month and weekday, or @hourly, @daily, @every 1h"),
        (r"invalid timezone", "write a name such as Europe/Berlin"),
        (r"is not a valid concurrencyPolicy", "write Allow, Forbid or Replace"),
        (r"'.*' is not unique", "give one of them another name"),
        (r"was not supplied", "pass it under arguments, or give the input a default"),
        (r"only one of .* can be specified", "keep one of them"),
        (r"multiple template types|multiple types", "keep one of them, and move the other to a template of its own"),
        (r"template type unspecified|missing specification", "give it a container, script, steps, dag or another type"),
        (r"not defined|is not defined", "define it, or mend the name"),
        (r"must be a list", "begin each entry with a dash, or write them in brackets"),
        (r"must be a string", "write a text; what is not a text goes into quotes, as JSON"),
        (r"this is not YAML", "mend what is written here: indentation, brackets or quotes"),
        (r"is not a known field", "take it out, or mend its name"),
        (r"is required|must be specified|cannot be empty", "set it"),
        (r"is invalid: ", "keep to these characters"),
    )
)


def remedy_for(message: str) -> str:
    """What helps against a finding with this message; empty when the message is all there is to say."""
    if guess := _GUESS.search(message):
        return guess[0]
    return next((remedy for pattern, remedy in _REMEDIES if pattern.search(message)), "")
