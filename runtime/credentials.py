"""How to reach an API server and prove who one is: from a kubeconfig, or from inside a pod.

Plain kubeconfigs (token, client certificate, basic) are read here; only those with an exec or auth-provider plugin go
to kubernetes_asyncio, whose import alone costs 0.4 s. Tokens are asked for per request, since they rotate.
"""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from runtime.api import Refused
from runtime.objects import Object

POD_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEFAULT_KUBECONFIG = "~/.kube/config"


class BadKubeconfig(Refused):
    """The kubeconfig cannot be used. The message names the file, the entry and the remedy."""


class Access(NamedTuple):
    """A server, how to trust it, and the headers that say who we are."""

    url: str
    tls: ssl.SSLContext | None  # None: plain HTTP
    headers: Callable[[], Awaitable[dict[str, str]]]
    namespace: str = "default"
    proxy: str = ""
    renew: Callable[[], None] = lambda: None  # the server has refused these: forget what was remembered of them


def bearer(token: Callable[[], str]) -> Callable[[], Awaitable[dict[str, str]]]:
    """Headers with a token that is asked for each time; none while it is empty."""

    async def headers() -> dict[str, str]:
        text = token()
        return {"Authorization": f"Bearer {text}"} if text else {}

    return headers


def in_pod(folder: Path = POD_FOLDER) -> Access:
    """The access of the pod that this process runs in. Raises BadKubeconfig outside of one."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    token, ca = folder / "token", folder / "ca.crt"
    if not host or not token.exists():
        raise BadKubeconfig(
            "not in a cluster: KUBERNETES_SERVICE_HOST or the service account's token is missing; give --kubeconfig"
        )
    shown = f"[{host}]" if ":" in host else host
    tls = ssl.create_default_context(cafile=str(ca)) if ca.exists() else ssl.create_default_context()
    own = folder / "namespace"
    namespace = own.read_text().strip() if own.exists() else "default"
    return Access(f"https://{shown}:{port}", tls, bearer(lambda: token.read_text().strip()), namespace)


def from_kubeconfig(path: str | None = None, context: str | None = None, *, anonymous: bool = False) -> Access:
    """The access of a kubeconfig: `path`, else the first existing file of $KUBECONFIG, else ~/.kube/config.

    An `anonymous` one is the server and how to trust it, and says nothing of who we are. Raises BadKubeconfig."""
    file = _file(path)
    config = _load(file)
    name = context or config.get("current-context") or ""
    if not name:
        raise BadKubeconfig(f"{file}: no current-context: choose one with --context")
    entry = _named(config, "contexts", name, file)["context"]
    cluster = _named(config, "clusters", entry.get("cluster", ""), file)["cluster"]
    named = entry.get("user") and not anonymous
    user = _named(config, "users", entry["user"], file)["user"] if named else {}
    url = str(cluster.get("server") or "").rstrip("/")
    if not url:
        raise BadKubeconfig(f"{file}: cluster {entry.get('cluster')!r} has no server")
    tls = _tls(cluster, user or {}, file) if url.startswith("https") else None
    plugin = _Plugin(file, name) if _needs_plugin(user or {}) else None
    headers = _headers(user or {}, file) if plugin is None else plugin.headers
    renew = (lambda: None) if plugin is None else plugin.forget
    return Access(url, tls, headers, entry.get("namespace") or "default", cluster.get("proxy-url") or "", renew)


def _file(path: str | None) -> Path:
    candidates = [path] if path else [p for p in os.environ.get("KUBECONFIG", "").split(os.pathsep) if p]
    for candidate in candidates or [DEFAULT_KUBECONFIG]:
        file = Path(candidate).expanduser()
        if file.exists():
            return file
    shown = ", ".join(str(candidate) for candidate in candidates or [DEFAULT_KUBECONFIG])
    raise BadKubeconfig(f"no kubeconfig: {shown} does not exist; give --kubeconfig or set KUBECONFIG")


def _load(file: Path) -> Object:
    import yaml  # noqa: PLC0415 - a pod has no kubeconfig to read

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        config = yaml.load(file.read_text(), Loader=loader)  # noqa: S506 - a safe loader, the fast one where built
    except (OSError, yaml.YAMLError) as e:
        raise BadKubeconfig(f"{file} cannot be read: {e}") from e
    if not isinstance(config, dict):
        raise BadKubeconfig(f"{file} is not a kubeconfig: it should be a map with clusters, users and contexts")
    return config


def _named(config: Object, section: str, name: str, file: Path) -> Object:
    for entry in config.get(section) or ():
        if isinstance(entry, dict) and entry.get("name") == name:
            return entry
    known = ", ".join(sorted(str(entry.get("name")) for entry in config.get(section) or ())) or "none"
    raise BadKubeconfig(f"{file}: {section} has no {name!r} (there are: {known})")


def _bytes(holder: Object, field: str, file: Path) -> bytes:
    """The content of `<field>-data`, or of the file that `<field>` names (relative to the kubeconfig)."""
    if holder.get(f"{field}-data"):
        return base64.b64decode(holder[f"{field}-data"])
    if not holder.get(field):
        return b""
    named = file.parent / str(holder[field])
    try:
        return named.read_bytes()
    except OSError as e:
        raise BadKubeconfig(f"{file}: {field} {named} cannot be read: {e}") from e


def _tls(cluster: Object, user: Object, file: Path) -> ssl.SSLContext:
    ca = _bytes(cluster, "certificate-authority", file)
    context = ssl.create_default_context(cadata=ca.decode() if ca else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = _bytes(user, "client-certificate", file), _bytes(user, "client-key", file)
    if certificate and key:
        with tempfile.TemporaryDirectory(prefix="tiphys-client-") as folder:  # mode 0700: OpenSSL reads files only
            pem = Path(folder, "client.pem")
            pem.write_bytes(certificate + b"\n" + key)
            context.load_cert_chain(pem)
    return context


def _needs_plugin(user: Object) -> bool:
    return bool(user.get("exec") or user.get("auth-provider"))


def _headers(user: Object, file: Path) -> Callable[[], Awaitable[dict[str, str]]]:
    if user.get("tokenFile"):
        named = file.parent / str(user["tokenFile"])
        return bearer(lambda: named.read_text().strip())
    if user.get("username"):
        pair = base64.b64encode(f"{user['username']}:{user.get('password', '')}".encode()).decode()

        async def basic() -> dict[str, str]:
            return {"Authorization": f"Basic {pair}"}

        return basic
    token = str(user.get("token") or "")
    return bearer(lambda: token)


class _Plugin:
    """Headers from kubernetes_asyncio's configuration, which runs the plugin and refreshes what it gives."""

    def __init__(self, file: Path, context: str) -> None:
        self._file = file
        self._context = context
        self._loaded: Any = None

    def forget(self) -> None:
        """Run the plugin again at the next request."""
        self._loaded = None

    async def headers(self) -> dict[str, str]:
        from kubernetes_asyncio import client, config  # noqa: PLC0415 - 0.4 s, for those who need it

        configuration = self._loaded
        if configuration is None:
            configuration = client.Configuration()
            await config.load_kube_config(str(self._file), self._context, client_configuration=configuration)
            self._loaded = configuration
        if configuration.refresh_api_key_hook is not None:
            await configuration.refresh_api_key_hook(configuration)
        text = configuration.get_api_key_with_prefix("BearerToken")
        return {"Authorization": text} if text else {}
