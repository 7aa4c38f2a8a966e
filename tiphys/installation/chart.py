"""The Helm chart: the same manifests, with Helm's expressions where values are asked for.

Each template file is a sequence of manifests under a condition; nothing is written that `manifests.py` does not have.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, Final

from actors.names.buckets import BUCKETS
from runtime.objects import Object
from tiphys.installation import eventserver, roles, workload
from tiphys.installation.choice import IMAGE, NAME, Choice
from tiphys.installation.rights import PARTS
from tiphys.installation.text import documents, plain
from tiphys.observability import alerts, dashboards

VERSION: Final = "0.1.0"
HERE: Final = "{{ .Release.Namespace }}"
THERE: Final = "{{ .Values.managedNamespace | default .Release.Namespace }}"
PULLED: Final = "{{ .Values.image }}"
INSTANCE: Final = "{{ .Values.instanceID }}"

ONE: Final = Choice(namespace=HERE, scope="managed", managed=THERE)
CLUSTER: Final = 'eq .Values.scope "cluster"'
PLUGINS: Final = ".Values.executorPlugins"

VALUES: Final[dict[str, tuple[Any, str]]] = {
    "scope": ("cluster", "cluster, namespaced (only the release's namespace) or managed (only managedNamespace)"),
    "managedNamespace": ("", "with scope managed: whose objects are looked after"),
    "image": (IMAGE, "of the controller and of the helpers in workflow pods"),
    "imagePullPolicy": ("IfNotPresent", ""),
    "replicas": (1, "more than one: the others stand by with their caches filled"),
    "shards": (0, "divide all namespaces into so many among the replicas, which all work then (docs/scaling.md)"),
    "only": ("", "workflows or rollouts: the others are somebody else's"),
    "instanceID": ("", "only objects labelled so"),
    "executorPlugins": (False, "those that ConfigMaps define are offered to all workflows"),
    "eventServer": (False, "and what takes events from outside (docs/events.md)"),
    "networkPolicy": (False, "let in metrics and probes, let out DNS, HTTPS, Prometheus and traces"),
    "monitoring": (False, "ServiceMonitor and rules: kinds of Prometheus' operator"),
    "dashboards": (False, "ConfigMaps with Grafana's dashboards, labelled grafana_dashboard"),
    "extraArgs": ([], "further arguments of tiphys controller"),
    "extraEnv": ([], "further variables, OTEL_EXPORTER_OTLP_ENDPOINT for instance (docs/tracing.md)"),
    "resources": ({"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}, ""),
    "nodeSelector": ({}, ""),
    "tolerations": ([], ""),
    "configuration": ({}, "what workflow-controller-configmap says; docs/configuration.md has the keys"),
}
"""Each value with its default and what it is for."""


def files() -> dict[str, str]:
    """Every file of the chart but the definitions, which are links."""
    about = {
        "apiVersion": "v2",
        "name": NAME,
        "description": "Runs Argo Workflows and Argo Rollouts as actors",
        "type": "application",
        "version": VERSION,
        "appVersion": VERSION,
        "kubeVersion": ">= 1.29.0-0",
    }
    return {
        "chart/Chart.yaml": plain(about),
        "chart/values.yaml": values(),
        "chart/values.schema.json": json.dumps(schema(), indent=2) + "\n",
        "chart/templates/rbac.yaml": _rbac(),
        "chart/templates/controller.yaml": _controller(),
        "chart/templates/options.yaml": _options(),
        "chart/templates/event-server.yaml": _event_server(),
        "chart/templates/configuration.yaml": CONFIGURATION,
        "chart/rules/rules.yaml": plain(alerts.operator()),
        **{f"chart/dashboards/{name}": text for name, text in dashboards.files().items()},
    }


def values() -> str:
    """values.yaml, each value under what it is for."""
    lines = []
    for name, (default, why) in VALUES.items():
        lines += [f"# {why}\n"] if why else []
        lines.append(plain({name: default}))
    return "".join(lines)


def schema() -> dict[str, Any]:
    """What Helm checks values against: a misspelled one is an error."""
    kinds = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}
    properties: dict[str, Any] = {name: {"type": kinds[type(value)]} for name, (value, _) in VALUES.items()}
    properties["scope"]["enum"] = ["cluster", "namespaced", "managed"]
    properties["only"]["enum"] = ["", "workflows", "rollouts"]
    properties["replicas"]["minimum"] = 1
    properties["shards"] |= {"minimum": 0, "maximum": BUCKETS}
    properties["global"] = {"type": "object"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def _rbac() -> str:
    """The roles, of which the values choose some: by scope, by part, with the plugins' rights or without."""
    whole = Choice(namespace=HERE)
    parts = [documents([workload.service_account(whole)])]
    parts.append(_when("not .Values.shards", _named("own", whole)))
    parts.append(_when(".Values.shards", _named("own", replace(whole, shards=1))))
    parts.append(_when(CLUSTER, roles.people_roles()))
    for part in PARTS:
        other = next(one for one in PARTS if one != part)
        for plugins in (False, True) if part == "workflows" else (False,):
            extra = f" (eq {PLUGINS} {str(plugins).lower()})" if part == "workflows" else ""
            for condition, choice in ((CLUSTER, whole), (f"not ({CLUSTER})", ONE)):
                wanted = _named(part, replace(choice, executor_plugins=plugins))
                parts.append(_when(f'and (ne .Values.only "{other}") ({condition}){extra}', wanted))
    return "---\n".join(parts)


def _named(which: str, choice: Choice) -> list[Object]:
    return [thing for thing in roles.controller_roles(choice) if thing["metadata"]["name"] == f"{NAME}-{which}"]


def _controller() -> str:
    choice = Choice(namespace=HERE, image=PULLED)
    text = documents([workload.service(choice), workload.deployment(choice)])
    for was, becomes in _PLACES.items():
        text, count = re.subn(was, lambda _, new=becomes: new, text, flags=re.MULTILINE)  # type: ignore[misc]
        if count != 1:
            raise LookupError(f"{was!r} stands {count} times in the Deployment, and should once")
    return text


_PLACES: Final = {
    r"^  replicas: 1$": "  replicas: {{ .Values.replicas }}",
    r"^          args: \[controller\]$": """\
          args:
            - controller
            {{- if ne .Values.scope "cluster" }}
            - --namespaced
            {{- end }}
            {{- if eq .Values.scope "managed" }}
            - --managed-namespace={{ required "managedNamespace: which one?" .Values.managedNamespace }}
            {{- end }}
            {{- with .Values.only }}
            - --only={{ . }}
            {{- end }}
            {{- with .Values.instanceID }}
            - --instance-id={{ . }}
            {{- end }}
            {{- if .Values.executorPlugins }}
            - --executor-plugins
            {{- end }}
            {{- with .Values.shards }}
            - --shards={{ . }}
            {{- end }}
            {{- range .Values.extraArgs }}
            - {{ . | quote }}
            {{- end }}
          imagePullPolicy: {{ .Values.imagePullPolicy }}""",
    r"^          resources:\n(            .*\n)+?(?=          securityContext:)": """\
          resources: {{- toYaml .Values.resources | nindent 12 }}
""",
    r"^          ports:$": """\
            {{- with .Values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:""",
    r"^      volumes:$": """\
      {{- with .Values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if gt (int .Values.replicas) 1 }}
      topologySpreadConstraints:
        - topologyKey: kubernetes.io/hostname
          maxSkew: 1
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              app.kubernetes.io/name: tiphys
      {{- end }}
      volumes:""",
}
"""Where the Deployment asks for values."""

CONFIGURATION: Final = """\
{{- with .Values.configuration }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: workflow-controller-configmap
  namespace: '{{ $.Release.Namespace }}'
data:
  config: | {{- toYaml . | nindent 4 }}
{{- end }}
"""

_DASHBOARDS: Final = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: tiphys-dashboards
  namespace: '{{ .Release.Namespace }}'
  labels:
    grafana_dashboard: '1'
data: {{- (.Files.Glob "dashboards/*.json").AsConfig | nindent 2 }}
"""


def _options() -> str:
    choice = Choice(namespace=HERE)
    monitoring = documents([workload.service_monitor(choice)]) + '---\n{{ .Files.Get "rules/rules.yaml" }}'
    return "---\n".join(
        [
            _when("gt (int .Values.replicas) 1", [workload.disruption_budget(choice)]),
            _when(".Values.networkPolicy", [workload.network_policy(choice)]),
            f"{{{{- if .Values.monitoring }}}}\n{monitoring}\n{{{{- end }}}}\n",
            f"{{{{- if .Values.dashboards }}}}\n{_DASHBOARDS}{{{{- end }}}}\n",
        ]
    )


def _event_server() -> str:
    """What takes events, where it is asked for."""
    there = Choice(namespace=HERE, image=PULLED, instance_id=INSTANCE)
    pulled = "imagePullPolicy: {{ .Values.imagePullPolicy }}"
    text = documents(eventserver.objects(there)).replace(f"image: '{PULLED}'", f"image: '{PULLED}'\n          {pulled}")
    found = [
        _when(f"and .Values.eventServer ({CLUSTER})", roles.event_server_roles(there)),
        _when(f"and .Values.eventServer (not ({CLUSTER}))", roles.event_server_roles(ONE)),
        f"{{{{- if .Values.eventServer }}}}\n{text}{{{{- end }}}}\n",
        _when("and .Values.eventServer .Values.networkPolicy", [eventserver.network_policy(there)]),
    ]
    return "---\n".join(found)


def _when(condition: str, things: list[Object]) -> str:
    return f"{{{{- if {condition} }}}}\n{documents(things)}{{{{- end }}}}\n"
