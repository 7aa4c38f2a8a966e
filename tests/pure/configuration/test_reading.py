"""Upstream's ConfigMap is read as it stands, and what is wrong in it is named with its remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from actors.history.decide import Retention
from actors.pace import Pace
from actors.queue.mind import QueueSettings
from runtime.series import Modifier
from tiphys.configuration.databases import persistence, synchronization
from tiphys.configuration.environment import Environment, environment
from tiphys.configuration.keys import Configuration
from tiphys.configuration.notices import SAYS_NOTHING, notices
from tiphys.configuration.problems import BadConfiguration, duration_s
from tiphys.configuration.reading import configuration, from_file, parsed
from tiphys.configuration.settings import settings
from tiphys.controllers import ControllerSettings
from tiphys.persistence.settings import Database, PersistenceSettings, SecretEntry
from tiphys.persistence.sync_settings import SyncTables

KEYS = {
    "parallelism": "10",
    "namespaceParallelism": "4",
    "resourceRateLimit": "limit: 10\nburst: 25\n",
    "nodeEvents": "enabled: false\n",
    "workflowEvents": "enabled: false\n",
    "executor": "imagePullPolicy: IfNotPresent\nimage: mine/executor:1\nresources: {requests: {cpu: 0.1}}\n",
    "mainContainer": "imagePullPolicy: Always\n",
    "images": "argoproj/argosay:v2:\n  entrypoint: [/argosay]\n  cmd: [echo]\n",
    "artifactRepository": "archiveLogs: true\ns3: {bucket: b, endpoint: minio:9000}\n",
    "workflowDefaults": "metadata: {labels: {a: b}}\nspec: {ttlStrategy: {secondsAfterSuccess: 5}}\n",
    "workflowRestrictions": "templateReferencing: Strict\n",
    "retentionPolicy": "completed: 10\nfailed: 3\nerrored: 3\n",
    "podGCGracePeriodSeconds": "60",
    "podGCDeleteDelayDuration": "30s",
    "initialDelay": "5s",
    "instanceID": "mine",
    "semaphoreLimitCacheSeconds": "7",
    "metricsConfig": "metricsTTL: 10m\nmodifiers: {total_count: {disabled: true, histogramBuckets: [1, 2]}}\n",
}


@pytest.mark.parametrize("form", ["entries", "one", "file"])
def test_a_config_map_has_an_entry_for_each_key_or_one_for_all(form: str, tmp_path: Path) -> None:
    expected = configuration(KEYS)
    whole = yaml.safe_dump({key: yaml.safe_load(text) for key, text in KEYS.items()})
    if form == "entries":
        read = configuration(KEYS)
    elif form == "one":
        read = configuration({"config": whole})
    else:
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump({"kind": "ConfigMap", "data": {"config": whole}}))
        read = from_file(file)

    assert read == expected
    assert read.parallelism == 10


def test_every_key_becomes_a_setting() -> None:
    chosen = settings(configuration(KEYS), ControllerSettings(), Environment())

    assert chosen.queue == QueueSettings(10, 4)
    assert chosen.pods.pace == Pace(10, 25)
    assert (chosen.node_events, chosen.workflow_events) == (False, False)
    assert chosen.pods.executor_image == "mine/executor:1"
    assert set(chosen.pods.executor_container) == {"imagePullPolicy", "resources"}
    assert chosen.pods.main_container == {"imagePullPolicy": "Always"}
    assert chosen.pods.image_entrypoints["argoproj/argosay:v2"] == (["/argosay"], ["echo"])
    assert chosen.repository == {"archiveLogs": True, "s3": {"bucket": "b", "endpoint": "minio:9000"}}
    assert chosen.workflow_defaults["spec"] == {"ttlStrategy": {"secondsAfterSuccess": 5}}
    assert (chosen.restriction, chosen.instance_id, chosen.pods.instance_id) == ("Strict", "mine", "mine")
    assert chosen.retention == Retention(10, 3, 3)
    assert (chosen.pods.deletion_grace_s, chosen.pods.deletion_delay_s, chosen.initial_delay_s) == (60, 30, 5)
    assert chosen.locks.limit_cache_s == 7
    assert chosen.series.ttl_s == 600
    assert chosen.series.modifiers == {"total_count": Modifier(True, frozenset(), (1, 2))}


def test_nothing_configured_changes_nothing() -> None:
    base = ControllerSettings()

    assert settings(None, base, Environment()) == base
    assert settings(Configuration(), base, Environment()) == base
    assert notices(Configuration()) == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"paralellism": "3"}, "paralellism: there is no such key: check its spelling"),
        ({"parallelism": "many"}, "parallelism: input should be a valid integer"),
        ({"parallelism": "-1"}, "parallelism: input should be greater than or equal to 0"),
        ({"config": "parallelism: 1", "images": "{}"}, "beside the entry config there must be no other: move images"),
        ({"config": "- a"}, "it must be a map of keys and values, not list"),
        ({"images": "{a: ["}, "images: it is no YAML"),
        ({"workflowDefaults": "spec: {entripoint: x}"}, "workflowDefaults.spec.entripoint"),
        ({"workflowDefaults": "speck: {}"}, "workflowDefaults.speck: there is no such key"),
        ({"initialDelay": "soon"}, "initialDelay:"),
        ({"metricsConfig": "metricsTTL: x"}, "metricsConfig.metricsTTL:"),
        ({"artifactRepository": "bucket: b"}, "artifactRepository: it names no driver"),
        ({"workflowRestrictions": "templateReferencing: Lax"}, "workflowRestrictions.templateReferencing"),
        ({"resourceRateLimit": "burst: 3"}, "resourceRateLimit.limit: field required"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(data: dict[str, str], says: str) -> None:
    with pytest.raises(BadConfiguration) as raised:
        configuration(data)
    assert any(says in problem for problem in raised.value.problems), raised.value.problems


def test_what_is_not_acted_upon_is_said_key_by_key() -> None:
    given = {
        "namespace": "argo", "kubeConfig": {"secretName": "x"}, "artifactDrivers": [{"name": "a", "image": "b"}],
        "telemetryConfig": {"enabled": True}, "podSpecLogStrategy": {"allPods": True},
        "initlessPod": {"enabled": True}, "sso": {"issuer": "x"},
        "links": [{"name": "l"}], "columns": [{"name": "c"}], "navColor": "red",
    }  # fmt: skip
    assert set(given) == set(SAYS_NOTHING)
    told = notices(parsed({**given, "executor": {"args": ["--loglevel"]}, "metricsConfig": {"secure": True}}))

    assert {line.partition(":")[0] for line in told} == {*given, "executor.args", "metricsConfig.secure"}
    assert notices(parsed({"sso": {}, "links": []})) == [], "an empty section asks for nothing"


POSTGRES = {
    "host": "db", "database": "argo", "userNameSecret": {"name": "s", "key": "u"},
    "passwordSecret": {"name": "s", "key": "p"},
}  # fmt: skip


@pytest.mark.spec("ARCHV-1")
@pytest.mark.spec("ARCHV-3")
def test_persistence_names_a_database_and_what_it_is_for() -> None:
    read = parsed(
        {
            "persistence": {
                "archive": True, "archiveTTL": "30d", "clusterName": "c", "skipMigration": True,
                "archiveLabelSelector": {"matchLabels": {"keep": "yes"}},
                "connectionPool": {"maxOpenConns": 7, "connMaxLifetime": "1h"},
                "postgresql": {**POSTGRES, "port": 5433, "tableName": "t", "ssl": True, "sslMode": "verify-full"},
            }
        }
    )  # fmt: skip

    kept = persistence(read.persistence, "i")

    assert kept == PersistenceSettings(
        Database(
            "postgresql", "argo", "db", 5433, SecretEntry("s", "u"), SecretEntry("s", "p"), "verify-full", 7, 3600.0
        ),
        archive=True, selector={"matchLabels": {"keep": "yes"}}, keep_s=30 * 86400.0, cluster="c", instance_id="i",
        nodes_table="t", migrate=False,
    )  # fmt: skip
    assert notices(read) == []


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"postgresql": POSTGRES, "sqlite": {"path": "x"}}, "persistence: it names postgresql and sqlite"),
        ({"sqlite": {"path": "x"}, "archiveTTL": "long"}, "persistence.archiveTTL:"),
        ({"postgresql": POSTGRES, "connectionPool": {"connMaxLifetime": "x"}}, "persistence.connectionPool"),
    ],
)
def test_a_persistence_that_cannot_be_is_named_with_its_key(section: dict[str, object], says: str) -> None:
    with pytest.raises(BadConfiguration, match=says):
        persistence(parsed({"persistence": section}).persistence, "")


def test_databases_that_are_not_spoken_are_said() -> None:
    read = parsed(
        {
            "persistence": {"archive": True, "mysql": {"host": "db"}, "nodeStatusOffLoad": True},
            "synchronization": {"controllerName": "c", "mysql": {"host": "db"}, "enableAPI": True},
        }
    )
    assert synchronization(read.synchronization) is None
    assert persistence(read.persistence, "") is None
    told = notices(read)
    assert [line.partition(":")[0] for line in told] == [
        "persistence.mysql", "synchronization.mysql", "synchronization.enableAPI"
    ]  # fmt: skip
    assert notices(parsed({"persistence": {"archive": True}})) == [
        "persistence: it names no database (postgresql or sqlite): nothing is archived"
    ]
    assert notices(parsed({"persistence": {"nodeStatusOffLoad": True}})) == [
        "persistence: it names no database (postgresql or sqlite): no nodes are moved to one"
    ]


@pytest.mark.spec("SYNC-11")
def test_the_database_of_locks_is_upstreams_section_key_by_key() -> None:
    names = {f"{table}TableName": f"my_{table}" for table in ("limit", "state", "controller", "lock")}
    section = {"controllerName": "c", "postgresql": POSTGRES, "skipMigration": True, "pollSeconds": 2, **names}
    read = parsed({"synchronization": {**section, "heartbeatSeconds": 50, "inactiveControllerSeconds": 60}})

    found = synchronization(read.synchronization)

    assert found is not None
    assert (found.controller, found.migrate, found.inactive_s) == ("c", False, 60.0)
    assert found.tables == SyncTables("my_limit", "my_state", "my_controller", "my_lock")
    chosen = settings(read, ControllerSettings(), environment({}))
    assert chosen.synchronization == found
    polling = chosen.locks.database
    assert polling is not None
    assert (polling.poll_s, polling.heartbeat_s) == (2, 30.0), "it is heard of while it counts as alive"
    assert notices(read) == []
    [told] = notices(parsed({"synchronization": {"sqlite": {"path": "x"}}}))
    assert told.startswith("synchronization.controllerName: it is empty")


def test_two_tables_of_locks_need_two_names() -> None:
    section = {"sqlite": {"path": "x"}, "limitTableName": "t", "stateTableName": "t"}
    with pytest.raises(BadConfiguration, match="two of its tables have one name"):
        synchronization(parsed({"synchronization": section}).synchronization)


@pytest.mark.spec("OFF-2")
def test_which_nodes_a_database_keeps_is_said_by_the_section_and_the_environment() -> None:
    read = parsed({"persistence": {"nodeStatusOffLoad": True, "sqlite": {"path": "x"}}})
    found = persistence(read.persistence, "")
    assert found is not None
    assert found.offload
    around = environment({"ALWAYS_OFFLOAD_NODE_STATUS": "true", "OFFLOAD_NODE_STATUS_TTL": "10m"})
    assert (around.offload_always, around.offload_keep_s, around.notices) == (True, 600.0, ())


def test_variables_of_the_environment_decide_or_are_reported() -> None:
    found = environment(
        {
            "EXPRESSION_TEMPLATES": "false",
            "TIPHYS_LOOP_ITEMS_MAX": "7",
            "SKIP_WORKFLOW_DURATION_ESTIMATION": "true",
            "CACHE_GC_PERIOD": "10m",
            "CACHE_GC_AFTER_NOT_HIT_DURATION": "1h",
            "WORKFLOW_USER_OVERRIDE_ALLOWLIST": "podSpecPatch, volumes",
            "WF_DEL_PROPAGATION_POLICY": "Foreground",
            "GZIP_IMPLEMENTATION": "GZip",
            "ARGO_PROGRESS_PATCH_TICK_DURATION": "7s",
            "HOME": "/home/ada",
        }
    )
    assert (found.expressions, found.estimates, found.cache_gc_period_s, found.cache_not_hit_s) == (
        False,
        False,
        600,
        3600,
    )
    assert found.permitted_overrides == {"podSpecPatch", "volumes"}
    assert (found.propagation, found.loop_items) == ("Foreground", 7)
    assert (found.progress_tick_s, found.progress_file_s) == (7, 3)
    assert found.held_pods == "uncollected"
    held = [environment({"ARGO_POD_STATUS_CAPTURE_FINALIZER": word}).held_pods for word in ("False", "true")]
    assert held == ["never", "always"]
    assert [notice.partition(" ")[0] for notice in found.notices] == ["GZIP_IMPLEMENTATION"]
    with pytest.raises(BadConfiguration) as raised:
        environment(
            {"CACHE_GC_PERIOD": "x", "MAX_WORKFLOW_SIZE": "0", "WORKFLOW_USER_OVERRIDE_ALLOWLIST": "podSpecPtch"}
        )
    assert len(raised.value.problems) == 3


def test_durations_may_be_days() -> None:
    assert duration_s("2d") == 172800
    assert duration_s("1h30m") == 5400


@pytest.mark.spec("RTY-13", "AGENT-4")
@pytest.mark.parametrize(
    ("given", "restarts"),
    [
        ({}, 3),
        ({"failedPodRestart": {"enabled": True}}, 3),
        ({"failedPodRestart": {"enabled": True, "maxRestarts": 1}}, 1),
        ({"failedPodRestart": {"enabled": False}}, 0),
    ],
)
def test_lost_pods_are_made_again_unless_it_says_otherwise(given: dict[str, object], restarts: int) -> None:
    read = parsed({**given, "disableAgentPodCreation": True})
    decided = settings(read, ControllerSettings(), Environment())
    assert decided.pods.pod_restarts_max == restarts
    assert decided.pods.agent_pods is False
