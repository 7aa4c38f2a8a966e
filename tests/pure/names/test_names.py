"""Names are upstream's to the letter: retries, logs and artifact keys find things by them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.names import ids, labels, resources


@pytest.mark.spec("2.10")
@pytest.mark.parametrize(
    ("workflow", "node", "template", "node_id", "pod"),
    [
        ("hello", "hello", "hello-world", "hello", "hello"),
        ("steps-x", "steps-x[0]", "", "steps-x-4100973229", "steps-x-4100973229"),
        ("steps-x", "steps-x[0].hello1", "print-message", "steps-x-2543571026", "steps-x-print-message-2543571026"),
        ("dag-x", "dag-x.A", "echo", "dag-x-3728133227", "dag-x-echo-3728133227"),
        (
            "loop-x",
            "loop-x[0].p(0:hello world)",
            "print-message",
            "loop-x-1318082979",
            "loop-x-print-message-1318082979",
        ),
        ("r-x", "r-x(0)", "main", "r-x-4133652883", "r-x-main-4133652883"),
        ("w", "w.onExit", "exit", "w-3635586449", "w-exit-3635586449"),
    ],
)
def test_node_ids_and_pod_names_match_upstream(workflow, node, template, node_id, pod):
    assert ids.node_id(workflow, node) == node_id
    assert ids.pod_name(workflow, node, template) == pod


@pytest.mark.spec("2.10")
def test_the_agents_pod_is_named_after_a_node_called_agent():
    assert ids.node_id("w", "agent") == "w-1340600742"
    assert ids.agent_pod("w") == "w-1340600742-agent"


@pytest.mark.spec("2.3")
def test_a_pod_name_keeps_its_hash_however_long_the_template_is():
    name = ids.pod_name("w" * 200, "w" * 200 + ".a", "t" * 200)
    prefix, _, digits = name.rpartition("-")
    assert len(prefix) == 242
    assert int(digits) == ids.fnv1a("w" * 200 + ".a")
    assert len(name) <= 253


@given(st.text(max_size=300), st.text(max_size=60), st.text(max_size=300))
def test_no_pod_name_is_longer_than_kubernetes_allows(workflow, node, template):
    name = ids.pod_name(workflow, workflow + "." + node, template)
    assert len(name.encode("utf-8", "surrogatepass")) <= 253


def test_the_hash_is_of_the_utf8_bytes():
    assert ids.fnv1a("") == 2166136261
    assert ids.fnv1a("a") == 0xE40C292C
    assert ids.fnv1a("foobar") == 0xBF9CF968
    assert ids.fnv1a("é") == ids.fnv1a("é") != ids.fnv1a("e")


@pytest.mark.spec("2.3")
def test_child_names_follow_the_formulas():
    assert ids.step_group("w", 0) == "w[0]"
    assert ids.step("w[0]", "s") == "w[0].s"
    assert ids.task("w", "A") == "w.A"
    assert ids.item("w[0].s", 3, "a(b)c") == "w[0].s(3:abc)"
    assert ids.attempt(ids.item("x", 0, "a"), 1) == "x(0:a)(1)"
    assert ids.container("w.p", "c") == "w.p.c"
    assert ids.hook("w.A", "running") == "w.A.hooks.running"
    assert ids.on_exit("w") == "w.onExit"


@pytest.mark.spec("2.3")
@pytest.mark.parametrize(
    ("node", "boundary", "shown"),
    [
        ("w", "", "w"),
        ("w[0]", "w", "[0]"),
        ("w[0].hello", "w", "hello"),
        ("w.A", "w", "A"),
        ("w.A(0)", "w", "A(0)"),
        ("w[12].x(0:a.b)", "w", "x(0:a.b)"),
        ("w.onExit", "w", "onExit"),
        ("w.A.hooks.running", "w", "A.hooks.running"),
    ],
)
def test_display_names_leave_out_what_the_boundary_says(node, boundary, shown):
    assert ids.display_name(node, boundary) == shown


@pytest.mark.parametrize("name", ["w.A[0].x", "w.A.B", "w.A(0)", "w.A(0:i)", "w.A(0)[1].x.onExit", "w.A.B.hooks.run"])
def test_what_a_node_or_one_below_it_has_started_is_below_it(name):
    assert ids.is_below(name, "w.A")


@pytest.mark.parametrize("name", ["w.A", "w.AB", "w", "w.B", "v.A.B", "w.A.onExit", "w.A.hooks.run", "w.A.onExit(0)"])
def test_neither_its_own_hooks_nor_its_namesakes_are_below_a_node(name):
    assert not ids.is_below(name, "w.A")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("w.A(0)[1].x", "w.A"),
        ("w.A(3:c.d).B", "w.A(3:c.d)"),
        ("w.A.onExit(1)", "w.A.onExit"),
        ("w[1].a(0).hooks.late", "w[1].a.hooks.late"),
        ("w.onExit", ""),
        ("w.hooks.late(0)", ""),
        ("w(0).onExit.A", ""),
        ("v.A", ""),
    ],
)
def test_a_node_belongs_to_the_direct_call_it_stands_in_and_the_boundarys_own_hooks_to_none(name, call):
    assert ids.called_from("w", name) == call


def test_a_step_may_be_called_like_a_hook():
    assert ids.is_below("w[0].onExit", "w[0]")
    assert not ids.is_below("w.onExit", "w")


def test_labels_are_under_upstreams_domain():
    assert labels.WORKFLOW == "workflows.argoproj.io/workflow"
    assert labels.COMPLETED == "workflows.argoproj.io/completed"
    assert labels.NODE_ID == "workflows.argoproj.io/node-id"
    assert labels.FINALIZER_POD_STATUS == "workflows.argoproj.io/status"


def test_every_kind_is_named_once_and_only_one_is_cluster_wide():
    kinds = [kind for _, kind, _, _ in resources.ARGO_WORKFLOW_KINDS]
    assert len(set(kinds)) == len(kinds) == 8
    assert [kind for _, kind, _, namespaced in resources.ARGO_WORKFLOW_KINDS if not namespaced] == [
        "ClusterWorkflowTemplate"
    ]
