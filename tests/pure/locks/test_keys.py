"""Locks and holders have the keys that the status shows, and what names no lock is told so."""

from __future__ import annotations

from typing import Any

import pytest

from actors.lock_messages import (
    BadLock,
    Limit,
    database_name,
    holder_key,
    holder_node,
    holdings,
    is_semaphore,
    limit_of,
    lock_keys,
    shown,
)
from actors.upstream_metrics import lock_labels
from runtime.messages import Address

W = Address("workflow", "ns", "w", "uid")


@pytest.mark.spec("SYNC-10")
@pytest.mark.spec("SYNC-2")
@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ({"mutexes": [{"name": "m"}]}, ("ns/Mutex/m",)),
        ({"mutexes": [{"name": "m", "namespace": "other"}]}, ("other/Mutex/m",)),
        ({"semaphores": [{"configMapKeyRef": {"name": "c", "key": "k"}}]}, ("ns/ConfigMap/c/k",)),
        (
            {"mutexes": [{"name": "m"}], "semaphores": [{"configMapKeyRef": {"name": "c", "key": "k"}}]},
            ("ns/ConfigMap/c/k", "ns/Mutex/m"),
        ),
        ({"mutexes": [{"name": "m"}, {"name": "n"}, {"name": "m", "namespace": "ns"}]}, ("ns/Mutex/m", "ns/Mutex/n")),
        ({}, ()),
    ],
)
def test_a_lock_is_named_by_namespace_kind_and_name(section: dict[str, Any], keys: tuple[str, ...]) -> None:
    assert lock_keys(section, "ns") == keys


@pytest.mark.spec("SYNC-5")
@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"mutexes": [{"name": "m"}, {"name": "m", "database": False}]}, "ns/Mutex/m is named 2 times"),
        ({"mutexes": [{"name": "m", "namespace": "ns"}] * 2}, "ns/Mutex/m is named 2 times"),
        (
            {"semaphores": [{"namespace": "ns"}]},
            "^requested configuration is invalid: cannot get LockName for a Semaphore without a ConfigMapRef or Data",
        ),
        ({"mutexes": [{}]}, "needs a name"),
        ({"semaphores": [{"configMapKeyRef": {"name": "c"}}]}, "needs a name and a key"),
        ({"semaphores": [{"database": {}}]}, "database needs a key"),
        (
            {"semaphores": [{"database": {"key": "k"}, "configMapKeyRef": {"name": "c", "key": "k"}}]},
            "invalid semaphore with both ConfigMapKeyRef and Database",
        ),
        ({"mutexes": [{"name": "m" * 260, "database": True}]}, "at most 256 printable characters"),
        ({"mutexes": [{"name": "m\0", "database": True}]}, "at most 256 printable characters"),
        ({"mutexes": [{"name": "m", "database": True}, {"name": "m", "database": True}]}, "ns/Database/m is named 2"),
    ],
)
def test_what_is_no_lock_is_refused_with_the_reason(section: dict[str, Any], says: str) -> None:
    with pytest.raises(BadLock, match=says):
        lock_keys(section, "ns")


@pytest.mark.spec("SYNC-10")
def test_a_holder_is_a_workflow_or_one_of_its_nodes() -> None:
    assert holder_key(W) == "ns/w"
    assert holder_key(W, "w-1") == "ns/w/w-1"
    assert [holder_node(key) for key in ("ns/w", "ns/w/w-1")] == ["", "w-1"]


@pytest.mark.spec("SYNC-3")
def test_only_semaphores_have_a_limit_somewhere() -> None:
    assert limit_of("ns/ConfigMap/c/k") == Limit("ns", "c", "k")
    assert limit_of("ns/Mutex/m") is None


@pytest.mark.spec("SYNC-12")
def test_what_is_held_is_read_back_from_the_status() -> None:
    status = {
        "synchronization": {
            "semaphore": {"holding": [{"semaphore": "ns/ConfigMap/c/k", "holders": ["ns/w/a", "ns/w/b"]}]},
            "mutex": {
                "holding": [{"mutex": "ns/Mutex/m", "holder": "ns/w/a"}],
                "waiting": [{"mutex": "ns/Mutex/n", "holder": "ns/x"}],
            },
        }
    }

    assert holdings(status) == {"ns/w/a": ["ns/ConfigMap/c/k", "ns/Mutex/m"], "ns/w/b": ["ns/ConfigMap/c/k"]}
    assert holdings({}) == {}


@pytest.mark.spec("SYNC-4")
@pytest.mark.spec("SYNC-11")
def test_a_semaphore_and_a_mutex_of_a_database_may_be_called_alike() -> None:
    section = {
        "semaphores": [{"database": {"key": "k"}, "namespace": "all"}],
        "mutexes": [{"name": "k", "database": True}],
    }

    semaphore, mutex = lock_keys(section, "ns")

    assert [shown(semaphore), shown(mutex)] == ["all/Database/k", "ns/Database/k"]
    assert [database_name(semaphore), database_name(mutex)] == ["sem/all/k", "mtx/ns/k"]
    assert [is_semaphore(semaphore), is_semaphore(mutex)] == [True, False]
    status = {
        "semaphore": {"holding": [{"semaphore": shown(semaphore), "holders": ["ns/w/a"]}]},
        "mutex": {"holding": [{"mutex": shown(mutex), "holder": "ns/w/a"}]},
    }
    assert holdings({"synchronization": status}) == {"ns/w/a": [semaphore, mutex]}


@pytest.mark.parametrize("key", ["", "m", "a/b", "a/ConfigMap/c", "a/Database"])
def test_a_key_that_somebody_has_made_up_is_a_lock_like_another(key: str) -> None:
    assert (limit_of(key), shown(key)) == (None, key)
    section = {"mutex": {"holding": [{"mutex": key, "holder": "ns/w"}]}}
    assert len(holdings({"synchronization": section})["ns/w"]) == 1
    assert len(lock_labels(key)) == 4


def test_locks_that_are_no_databases_are_not_called_anything_there() -> None:
    assert database_name("ns/Mutex/sem/ns/k") == database_name("ns/ConfigMap/c/k") == ""
