"""With shards, workflows go to namespaces of every shard by turns, and what all controllers use is told together."""

from __future__ import annotations

from collections import Counter

from actors.names import buckets
from tiphys.bench.campaign import NAMESPACES_EACH, names_for
from tiphys.bench.measure import Result


def test_every_shard_has_equally_many_namespaces() -> None:
    names = names_for(4)
    assert Counter(buckets.group(name, 4) for name in names) == dict.fromkeys(range(4), NAMESPACES_EACH)
    assert len(set(names)) == len(names)
    assert len(names_for(0)) == 1


def test_what_several_controllers_use_is_added_up() -> None:
    made = Result("S2", {}, workflows=10, nodes=20, cpu_s={"controller": 1.0, "controller 2": 3.0, "api": 5.0})
    assert (made.per_workflow_ms("controller"), made.per_node_ms("controller")) == (400.0, 200.0)
    assert made.per_workflow_ms("api") == 500.0
    assert made.per_workflow_ms("node") is None
