"""The pure parts of the API server, by their properties."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.api import Refused
from runtime.objects import CONFIGMAPS
from tiphys.devcluster import fields, patches, protobuf, schema, strategic
from tiphys.devcluster.columns import duration
from tiphys.devcluster.granularity import Declared, parts_of
from tiphys.devcluster.jsonpath import find
from tiphys.devcluster.metadata import Source
from tiphys.devcluster.podcolumns import pod_status
from tiphys.devcluster.resources import built_in
from tiphys.devcluster.selectors import matcher, parse_labels, selector_matches, selector_text
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Storage

NAMES = st.sampled_from(["a", "b", "c"])
LABELS = st.dictionaries(NAMES, NAMES, max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=3)


@given(LABELS, NAMES, st.lists(NAMES, min_size=1, max_size=2))
def test_a_set_selector_is_the_union_of_its_values_and_its_opposite_the_rest(
    labels: dict[str, str], key: str, values: list[str]
) -> None:
    thing = {"metadata": {"labels": labels}}
    text = ",".join(values)
    inside, outside = matcher(f"{key} in ({text})", "", frozenset()), matcher(f"{key} notin ({text})", "", frozenset())
    assert inside is not None
    assert outside is not None
    assert inside(thing) == (labels.get(key) in values)
    assert outside(thing) == (not inside(thing))


@given(LABELS, LABELS)
def test_a_selector_object_and_its_text_select_the_same(wanted: dict[str, str], labels: dict[str, str]) -> None:
    selector = {"matchLabels": wanted}
    text = selector_text(selector)
    by_text = all(requirement.met_by(labels) for requirement in parse_labels(text))
    assert by_text == selector_matches(selector, labels)


@pytest.mark.parametrize("text", ["a b", "a in", "a in (b", "a = b c"])
def test_a_selector_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="unable to parse requirement"):
        parse_labels(text)


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_is_idempotent_and_leaves_its_arguments_alone(thing: Any, patch: Any) -> None:
    before = copy.deepcopy((thing, patch))
    once = patches.merge(thing, patch)
    assert patches.merge(once, patch) == once
    assert (thing, patch) == before


@given(st.permutations(["a", "b", "c"]), st.lists(NAMES, unique=True), st.text(max_size=3))
def test_a_strategic_patch_changes_the_items_it_names_and_no_others(
    old: list[str], named: list[str], image: str
) -> None:
    thing = {"containers": [{"name": name, "image": "old", "x": 1} for name in old]}
    patch = {"containers": [{"name": name, "image": image} for name in named]}
    patched = strategic.merge(thing, patch, strategic.Type("core.v1.PodSpec"))
    by_name = {item["name"]: item for item in patched["containers"]}
    assert set(by_name) == {"a", "b", "c"}
    for name, item in by_name.items():
        assert item == {"name": name, "image": image if name in named else "old", "x": 1}


def test_a_strategic_patch_deletes_replaces_and_orders_by_its_directives() -> None:
    pod = strategic.Type("core.v1.PodSpec")
    thing = {"containers": [{"name": "a"}, {"name": "b"}], "nodeSelector": {"k": "v"}}
    deleted = strategic.merge(thing, {"containers": [{"name": "a", "$patch": "delete"}]}, pod)
    assert deleted["containers"] == [{"name": "b"}]
    patch = {"containers": [{"$patch": "replace"}, {"name": "c"}], "nodeSelector": {"$patch": "replace"}}
    replaced = strategic.merge(thing, patch, pod)
    assert replaced["containers"] == [{"name": "c"}]
    assert replaced["nodeSelector"] == {}
    ordered = strategic.merge(thing, {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}, pod)
    assert ordered["containers"] == [{"name": "b"}, {"name": "a"}]
    meta, held = strategic.Type("meta.v1.ObjectMeta"), {"finalizers": ["x", "y"]}
    assert strategic.merge(held, {"$deleteFromPrimitiveList/finalizers": ["x"]}, meta)["finalizers"] == ["y"]
    assert set(strategic.merge(held, {"finalizers": ["z"]}, meta)["finalizers"]) == {"x", "y", "z"}


@pytest.mark.parametrize(
    ("kind", "old", "patch", "new"),
    [
        (
            ("v1", "Node"),
            {"spec": {"taints": [{"key": "a"}, {"key": "b"}]}},
            {"spec": {"taints": [{"key": "b"}]}},
            {"spec": {"taints": [{"key": "b"}]}},
        ),
        (
            ("networking.k8s.io/v1", "NetworkPolicy"),
            {"spec": {"ingress": [{"ports": [{"port": 80}]}]}},
            {"spec": {"ingress": [{"ports": [{"port": 81}]}]}},
            {"spec": {"ingress": [{"ports": [{"port": 81}]}]}},
        ),
        (
            ("v1", "Service"),
            {"spec": {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]}},
            {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}},
            {"spec": {"ports": [{"port": 80, "name": "a", "targetPort": 8080}, {"port": 81, "name": "b"}]}},
        ),
        (
            ("apps/v1", "Deployment"),
            {"spec": {"template": {"spec": {"containers": [{"name": "m", "args": ["a"], "env": [{"name": "X"}]}]}}}},
            {"spec": {"template": {"spec": {"containers": [{"name": "m", "args": ["b"], "env": [{"name": "Y"}]}]}}}},
            {
                "spec": {
                    "template": {
                        "spec": {"containers": [{"name": "m", "args": ["b"], "env": [{"name": "Y"}, {"name": "X"}]}]}
                    }
                }
            },
        ),
        (
            ("policy/v1", "PodDisruptionBudget"),
            {"spec": {"selector": {"matchLabels": {"a": "b"}}}},
            {"spec": {"selector": {"matchLabels": {"c": "d"}}}},
            {"spec": {"selector": {"matchLabels": {"c": "d"}}}},
        ),
        (
            ("v1", "ConfigMap"),
            {"data": {"containers": "x"}},
            {"data": {"env": "y"}},
            {"data": {"containers": "x", "env": "y"}},
        ),
    ],
)
def test_which_lists_a_strategic_patch_merges_is_said_by_the_type(
    kind: tuple[str, str], old: Any, patch: Any, new: Any
) -> None:
    assert strategic.merge(old, patch, strategic.type_of(*kind)) == new


def test_owned_fields_follow_the_type_of_the_object() -> None:
    """As server-side apply of a real server divides them: ports by two keys, selectors as a whole."""
    kinds = {kind.resource.kind: kind for kind in built_in()}
    ports = [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}]
    spec = {"containers": [{"name": "m", "ports": ports, "args": ["a"]}], "nodeSelector": {"a": "b", "c": "d"}}
    pod = {"spec": spec}
    main = ("f:spec", "f:containers", 'k:{"name":"m"}')
    owned = fields.of(pod, parts_of(kinds["Pod"]))
    tcp = (*main, "f:ports", 'k:{"containerPort":80,"protocol":"TCP"}')
    udp = (*main, "f:ports", 'k:{"containerPort":80,"protocol":"UDP"}')
    assert owned >= {("f:spec", "f:nodeSelector"), (*main, "f:args"), (*tcp, "f:containerPort"), (*udp, "f:protocol")}
    assert fields.value_at(pod, (*tcp, "f:containerPort")) == 80
    again = {"spec": {"containers": [{"name": "m", "ports": [{"containerPort": 80, "name": "web"}]}]}}
    merged = fields.merge(pod, again, parts_of(kinds["Pod"]))["spec"]["containers"][0]["ports"]
    assert merged == [{"containerPort": 80, "name": "web"}, {"containerPort": 80, "protocol": "UDP"}]


def test_what_belongs_to_one_owner_as_a_whole_is_one_field() -> None:
    spec = {"imagePullSecrets": [{"name": "s"}], "tolerations": [], "containers": []}
    owned = fields.of({"spec": spec}, Declared("core.v1.Pod"))
    assert owned == {("f:spec", "f:imagePullSecrets", 'k:{"name":"s"}'), ("f:spec", "f:tolerations")}
    thing = {"spec": {"imagePullSecrets": [{"name": "s"}, {"name": "t"}]}}
    fields.remove(thing, frozenset(owned))
    assert thing == {"spec": {"imagePullSecrets": [{"name": "t"}]}}


@pytest.mark.parametrize(
    ("current", "applied", "merged"),
    [
        ("ABC", "AC", "ABC"),
        ("AB", "CA", "CAB"),
        ("AxB", "BA", "xBA"),
        ("", "AB", "AB"),
        ("AB", "", "AB"),
        ("AxByC", "CnB", "AxyCnB"),
    ],
)
def test_items_of_a_merged_list_stand_in_the_order_applied_and_others_where_they_stood(
    current: str, applied: str, merged: str
) -> None:
    assert "".join(fields.in_order(list(current), list(applied))) == merged


@given(st.lists(NAMES, unique=True), st.lists(NAMES, unique=True))
def test_a_merged_list_has_each_item_once(current: list[str], applied: list[str]) -> None:
    merged = fields.in_order(current, applied)
    assert sorted(merged) == sorted({*current, *applied})
    assert [name for name in merged if name in applied] == applied


APPLIED = st.fixed_dictionaries(
    {},
    optional={
        "data": st.dictionaries(NAMES, st.text(max_size=2), min_size=1, max_size=3),
        "spec": st.fixed_dictionaries(
            {
                "containers": st.lists(NAMES, unique=True, min_size=1).map(
                    lambda ns: [{"name": n, "image": n} for n in ns]
                )
            }
        ),
    },
)


@given(APPLIED, APPLIED)
def test_what_an_applier_leaves_out_is_gone_and_the_rest_as_applied(first: Any, second: Any) -> None:
    stored = copy.deepcopy(first)
    pod = Declared("core.v1.Pod")
    fields.remove(stored, fields.of(first, pod) - fields.of(second, pod))
    assert fields.of(fields.merge(stored, second, pod), pod) == fields.of(second, pod)


@given(APPLIED)
def test_managed_fields_are_read_back_as_written(thing: Any) -> None:
    owner = fields.Owner("me", "Apply")
    owned = fields.of(thing, Declared("core.v1.Pod"))
    owners = {owner: owned} if owned else {}
    meta = {"managedFields": fields.managed_fields(owners, "v1", "2026-01-01T00:00:00Z")}
    assert fields.owners_of({"metadata": meta}) == owners


SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": "integer", "default": 3},
        "b": {"type": "object", "properties": {"c": {"type": "string", "default": "x"}}},
        "c": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
    },
}


@given(OBJECTS)
def test_pruning_and_defaulting_twice_is_once_and_what_is_pruned_has_known_fields_only(thing: Any) -> None:
    schema.prune(thing, SCHEMA)
    schema.fill(thing, SCHEMA)
    again = copy.deepcopy(thing)
    assert schema.prune(again, SCHEMA) == []
    schema.fill(again, SCHEMA)
    assert again == thing
    assert set(thing) <= {"a", "b", "c", "apiVersion", "kind", "metadata"}


@pytest.mark.parametrize(
    ("value", "rules", "message"),
    [
        ("x", {"type": "integer"}, 'must be of type integer: "string"'),
        (None, {"type": "string"}, 'must be of type string: "null"'),
        (1.5, {"x-kubernetes-int-or-string": True}, 'must be of type integer,string: "number"'),
        ("abc", {"type": "string", "maxLength": 2}, "may not be more than 2 bytes"),
        ("abc", {"type": "string", "pattern": "^x"}, "should match '^x'"),
        ([1, 1], {"type": "array", "x-kubernetes-list-type": "set"}, "Duplicate value: 1"),
        ([], {"type": "array", "minItems": 1}, "should have at least 1 items"),
        (7, {"type": "integer", "maximum": 5}, "should be less than or equal to 5"),
        ("now", {"type": "string", "format": "date-time"}, "must be of type date-time"),
        ({}, {"type": "object", "required": ["x"]}, "Required value"),
        ("c", {"type": "string", "enum": ["a", "b"]}, 'supported values: "a", "b"'),
        (1, {"anyOf": [{"type": "string"}, {"type": "boolean"}]}, "must validate at least one schema (anyOf)"),
    ],
)
def test_a_value_against_its_schema_is_refused_in_kubernetes_words(value: Any, rules: Any, message: str) -> None:
    (fault,) = schema.validate(value, rules, "spec.f")
    assert message in fault.message


def test_the_history_gives_back_any_state_it_covers() -> None:
    """Random walks: a page of a list is as of the first page's version, whatever happened since."""
    for seed in range(30):
        dice, storage = Random(seed), Storage()
        bucket = storage.bucket("", "things")
        then: dict[int, list[str]] = {}
        for _ in range(40):
            name = dice.choice("abcdef")
            record = bucket.records.get(("n", name))
            if record is not None and dice.random() < 0.4:
                storage.remove(bucket, record)
            else:
                storage.put(bucket, {"metadata": {"namespace": "n", "name": name}, "v": storage.version})
            then[storage.version] = [f"{r.key[1]}{r.object['v']}" for r in bucket.in_order("n")]
        for version, names in then.items():
            assert [f"{r.key[1]}{r.object['v']}" for r in bucket.as_of(version, "n")] == names


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.b", [1]),
        ("{.a.b}", [1]),
        (".l[0].n", ["x"]),
        (".l[*].n", ["x", "y"]),
        (".l[?(@.n=='y')].v", [2]),
        (r".m.dotted\.name", [3]),
        (".m['dotted.name']", [3]),
        (".none.b", []),
        ("!!", []),
    ],
)
def test_a_printer_columns_path_finds_its_values(path: str, found: list[Any]) -> None:
    thing = {"a": {"b": 1}, "l": [{"n": "x", "v": 1}, {"n": "y", "v": 2}], "m": {"dotted.name": 3}}
    assert find(thing, path) == found


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (125, "2m5s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (30000, "8h"),
        (200000, "2d7h"),
        (864000, "10d"),
    ],
)
def test_an_age_is_written_as_kubectl_writes_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({"phase": "Pending"}, "Pending"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        (
            {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"reason": "Completed"}}}]},
            "Completed",
        ),
        ({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]}, "ExitCode:3"),
        (
            {"phase": "Pending", "initContainerStatuses": [{"state": {"waiting": {"reason": "PodInitializing"}}}]},
            "Init:0/1",
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [{"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}],
            },
            "Init:Error",
        ),
    ],
)
def test_a_pod_is_shown_in_one_word(status: Any, word: str) -> None:
    spec = {"initContainers": [{"name": "i"}], "containers": [{"name": "m"}]}
    assert pod_status({"metadata": {}, "spec": spec, "status": status}) == word


@given(st.integers(min_value=0))
def test_a_uid_is_a_uuid_of_version_4(seed: int) -> None:
    uid = Source(lambda: 0.0, Random(seed)).uid()
    assert [len(part) for part in uid.split("-")] == [8, 4, 4, 4, 12]
    assert uid[14] == "4"
    assert uid[19] in "89ab"


def message(*parts: tuple[int, bytes | int]) -> bytes:
    raw = b""
    for number, value in parts:
        if isinstance(value, int):
            raw += bytes([number << 3, value])
        else:
            raw += bytes([number << 3 | 2, len(value)]) + value
    return raw


def test_a_protobuf_configmap_is_read() -> None:
    types = message((1, b"v1"), (2, b"ConfigMap"))
    thing = message((1, message((1, b"name"))), (2, message((1, b"k"), (2, b"v"))), (4, 1))
    body = b"k8s\x00" + message((1, types), (2, thing))
    assert protobuf.decode(body) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "name"},
        "data": {"k": "v"},
        "immutable": True,
    }


@given(st.binary(max_size=30))
def test_protobuf_that_is_not_one_is_refused_and_never_crashes(raw: bytes) -> None:
    with pytest.raises(Refused):
        protobuf.decode(b"k8s\x00" + raw)


def test_a_generated_name_that_is_taken_is_drawn_anew() -> None:
    class Dice(Random):
        """Draws each name three times before it draws another one."""

        draws = -1

        def choice(self, seq: Any) -> Any:
            self.draws += 1
            return seq[self.draws // 15]

    server = ApiServer(random=Dice(1))
    server.start()
    kind, thing = server.catalog.of(CONFIGMAPS), {"metadata": {"generateName": "x-", "namespace": "default"}}
    made = [server.rest.create(kind, "default", copy.deepcopy(thing)).record.object for _ in range(4)]
    assert len({each["metadata"]["name"] for each in made}) == 4
