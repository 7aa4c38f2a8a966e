"""The tree of a running controller, drawn from what its `/debug/actors` says.

Pure. Supervisors and their children first, then every room with the actors that objects woke and those they started,
each with what it waits for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

SHOWN: Final = 200
"""Children of one actor, or actors of one room, that are drawn; further ones are counted."""

INFORMERS: Final = "informers"
MANAGERS: Final = "managers"


def lines(document: Mapping[str, Any]) -> list[str]:
    """The whole tree; of a controller with shards a tree for each that it has."""
    if "shards" in document:
        return [*_division(document["division"]), *(line for shard in document["shards"] for line in _shard(shard))]
    statistics, actors = document["statistics"], document["actors"]
    branches = [
        (child["name"], _child(child), list(_below(child["name"], statistics, actors))) for child in _top(statistics)
    ]
    return [f"system: {_as_a_whole(statistics)}", *_draw(branches)]


def _division(division: Mapping[str, Any]) -> list[str]:
    """Who there is, and who has which shard."""
    groups, me = division["groups"], division["identity"]
    holders = list(enumerate(division["holders"]))
    had = {who: [str(at) for at, holder in holders if holder == who] for who in division["members"]}
    rows = [f"{who}{' (this one)' if who == me else ''}: {', '.join(mine) or 'none'}" for who, mine in had.items()]
    nobodys = [str(at) for at, holder in holders if holder not in had]
    rows += [f"nobody: {', '.join(nobodys)}"] if nobodys else []
    trouble = f"; the leases cannot be read: {division['error']}" if division["error"] else ""
    return [f"{groups} shards among {len(had)} controllers{trouble}", *_draw([(row, "", []) for row in rows])]


def _shard(document: Mapping[str, Any]) -> list[str]:
    first, *more = lines({name: value for name, value in document.items() if name != "shard"})
    return [f"shard {document['shard']} {first}", *more]


def _as_a_whole(statistics: Mapping[str, Any]) -> str:
    rooms = ", ".join(f"{number} {room}" for room, number in statistics["registry"]["actors"].items() if number)
    role = _role(statistics.get("elections") or [])
    crashes = statistics["lives"]["crashes"]
    return f"{role}{rooms or 'no actors'}" + (f"; {crashes} crashes so far" if crashes else "")


def _role(elections: Sequence[Mapping[str, Any]]) -> str:
    held = [election["lease"] for election in elections if election["held"]]
    others = [election for election in elections if not election["held"]]
    which = {election["lease"]: f" ({election['lease']})" if held else "" for election in others}
    stands = [f"stands by for {each['holder'] or 'nobody'}{which[each['lease']]}, " for each in others]
    leads = "" if not held else f"leads {', '.join(held)}, " if others else "leads, "
    return leads + "".join(dict.fromkeys(stands))


def _top(statistics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The children of the topmost supervisor; those of the others follow in the same list."""
    below = {informer["resource"]["plural"] for informer in statistics["informers"]}
    below |= set(statistics["registry"]["actors"]) | {child["name"] for child in _rooms(statistics)}
    return [
        child
        for child in statistics["children"]
        if child["name"] not in below or child["name"] in (INFORMERS, MANAGERS)
    ]


def _rooms(statistics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    names = [child["name"] for child in statistics["children"]]
    last = max((at for at, name in enumerate(names) if name.startswith("opening")), default=len(names) - 1)
    informers = len(statistics["informers"])
    return list(statistics["children"][last + 1 + informers :])


def _child(child: Mapping[str, Any]) -> str:
    state = "runs" if child["running"] else "does not run" if child["wanted"] else "is done"
    return state + (f", started {child['starts']} times" if child["starts"] > 1 else "")


Branch = tuple[str, str, list[Any]]  # name, sentence, branches below


def _below(name: str, statistics: Mapping[str, Any], actors: Sequence[Mapping[str, Any]]) -> Iterator[Branch]:
    if name == INFORMERS:
        for informer in statistics["informers"]:
            labels = f" ({informer['labels']})" if informer["labels"] else ""
            heard = f"{informer['objects']} objects, {informer['doing']}, heard {informer['silent_s']:.0f} s ago"
            yield (
                informer["resource"]["plural"] + labels,
                heard + (f": {informer['error']}" if informer["error"] else ""),
                [],
            )
    if name == MANAGERS:
        for room in _rooms(statistics):
            yield room["name"], _child(room), list(_family(None, room["name"], _children_of(actors)))


def _children_of(actors: Iterable[Mapping[str, Any]]) -> dict[str | None, list[Mapping[str, Any]]]:
    found: dict[str | None, list[Mapping[str, Any]]] = {}
    for actor in actors:
        found.setdefault(actor.get("parent"), []).append(actor)
    return found


def _family(parent: str | None, room: str, children: Mapping[str | None, list[Mapping[str, Any]]]) -> Iterator[Branch]:
    mine = [actor for actor in children.get(parent, ()) if parent is not None or actor["room"] == room]
    for actor in mine[:SHOWN]:
        yield actor["actor"], _sentence(actor), list(_family(actor["actor"], room, children))
    if len(mine) > SHOWN:
        yield f"… and {len(mine) - SHOWN} more", "", []


def _sentence(actor: Mapping[str, Any]) -> str:
    said = str(actor["waits"])
    text = said if actor.get("quarantined") else f"waits {said}" if said.startswith(("for ", "to ", "until ")) else said
    text += f" [{actor['mailbox']} messages]" if actor.get("mailbox") else ""
    return text + (f" [restarted {actor['restarts']} times]" if actor.get("restarts") else "")


def _draw(branches: Sequence[Branch], indent: str = "") -> Iterator[str]:
    for position, (name, sentence, below) in enumerate(branches):
        last = position == len(branches) - 1
        yield f"{indent}{'└─' if last else '├─'} {name}" + (f": {sentence}" if sentence else "")
        yield from _draw(below, indent + ("   " if last else "│  "))
