#!/usr/bin/env python3
"""One command sets up everything from a bare machine: python3 dev.py demo | test | check | run FILE…

Needs only python3 (3.11 or newer) and this tree: no pip, no ensurepip, no make. The first run makes a virtual
environment in .venv (or in your cache, when the tree is not yours to write) and installs the project into it; the next
ones see by its stamp that nothing changed and start at once.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html.parser
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 11)
STAMP = "tiphys-stamp.json"
INDEX = "https://pypi.org/simple"
DRIVER = ROOT / "tests" / "conformance" / "driver"  # a package that an example asks for; no index has it
DOWNLOAD_TIMEOUT_S = 60
PIP_OLDEST = (22, 3)  # the first with --python and editable installs as hatchling makes them

USAGE = """usage: python3 dev.py COMMAND [ARGUMENTS]

  demo            run examples/diamond.yaml with real processes, no cluster needed
  test [ARGS]     the whole test suite (arguments go to pytest)
  soak, mutants   the simulators for --seeds N; whether they find the named bugs
  bench all       every scenario in its short form, into bench/results/DATE
  check           ruff, ruff format, mypy strict and the import floors
  fix             let ruff repair and format what it can
  run, tiphys     tiphys run FILE…; any other tiphys command
  setup           only make the environment

environment: TIPHYS_VENV (where to put it), PIP_INDEX_URL or UV_INDEX_URL, PIP_CERT or SSL_CERT_FILE, https_proxy
"""


class SetupError(Exception):
    """Something the person at the keyboard can repair; the message says how."""


# ---------------------------------------------------------------------------------------------- which python, where


def use_new_enough_python() -> None:
    """Go on under a newer interpreter when this one is too old; SetupError when there is none."""
    if sys.version_info >= OLDEST:
        return
    for minor in range(19, OLDEST[1] - 1, -1):
        found = shutil.which("python3.%d" % minor)  # noqa: UP031  old interpreters read this file too
        if found:
            os.execv(found, [found, str(ROOT / "dev.py"), *sys.argv[1:]])  # noqa: S606  no shell is the point
    have = ".".join(str(part) for part in sys.version_info[:3])
    raise SetupError(
        f"Python {have} is too old: 3.11 or newer is needed.\n"
        "  Install one (https://www.python.org/downloads/ or your system's package), then run this again with it."
    )


def private_cache() -> Path:
    """A folder that this user may write, for when the tree is somebody else's."""
    chosen = os.environ.get("XDG_CACHE_HOME") or ""
    home = os.environ.get("HOME") or ""
    for folder in (Path(chosen) if chosen else None, Path(home) / ".cache" if home else None):
        if folder is not None and folder.is_absolute() and writable(folder):
            return folder / "tiphys"
    folder = Path(tempfile.gettempdir()) / f"tiphys-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():  # others may write there, and names can be guessed
        raise SetupError(f"{folder} belongs to somebody else.\n  Set HOME or TIPHYS_VENV to a folder of yours.")
    return folder


def writable(path: Path) -> bool:
    """Whether this user could write `path`, or create it."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return os.access(path, os.W_OK)


def places() -> list[Path]:
    """Where the environment may be, best first."""
    chosen = os.environ.get("TIPHYS_VENV")
    if chosen:
        return [Path(chosen).absolute()]
    tree = hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    return [ROOT / ".venv", private_cache() / f"venv-{tree}"]


def wanted() -> dict[str, object]:
    """What decides whether an environment fits: the interpreter, the tree, and what the project asks for."""
    import tomllib  # noqa: PLC0415  not there before 3.11, where the error above must still be printed

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = {key: project.get(key) for key in ("build-system", "project", "dependency-groups")}
    text = json.dumps(asked, sort_keys=True)
    version = ".".join(str(part) for part in sys.version_info[:2])
    return {"python": version, "tree": str(ROOT), "project": hashlib.sha256(text.encode()).hexdigest()}


def installed(place: Path, want: dict[str, object]) -> set[str] | None:
    """The groups installed in an environment that fits and that this user can run; None when it does not."""
    try:
        stamp = json.loads((place / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not os.access(place / "bin" / "python", os.X_OK):
        return None
    if any(stamp.get(key) != value for key, value in want.items()):
        return None
    return set(stamp.get("groups", ()))


def runs_here(place: Path) -> bool:
    """Whether `place` holds a virtual environment of this very minor version whose interpreter starts."""
    with contextlib.suppress(OSError):
        found = re.search(r"^version(?:_info)?\s*=\s*(\d+)\.(\d+)", (place / "pyvenv.cfg").read_text("utf-8"), re.M)
        if found and (int(found[1]), int(found[2])) == sys.version_info[:2]:
            return subprocess.run([str(place / "bin" / "python"), "-c", ""], check=False).returncode == 0
    return False


# ---------------------------------------------------------------------------------------------- the environment


def environment(groups: set[str]) -> Path:
    """The folder of an environment with the project and these dependency groups; made or completed when need be."""
    want = wanted()
    for place in places():
        have = installed(place, want)
        if have is not None and groups <= have:
            return place
    for place in places():
        if writable(place):
            return make(place, groups, want)
    raise SetupError(
        f"None of {', '.join(map(str, places()))} can be written.\n  Set TIPHYS_VENV to a folder of yours."
    )


def make(place: Path, groups: set[str], want: dict[str, object]) -> Path:
    """Create or complete the environment at `place`; two that try at once wait for each other."""
    import fcntl  # noqa: PLC0415  with venv below: only when there is something to make

    place.mkdir(parents=True, exist_ok=True)
    lock = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        have = installed(place, want)
        if have is not None and groups <= have:
            return place
        say(f"Setting up {place} (once; needs the network)")
        try:
            import venv  # noqa: PLC0415

            venv.create(place, with_pip=False, clear=not runs_here(place), symlinks=True)
        except (ImportError, OSError) as e:
            raise SetupError(
                f"Python's venv does not work here: {e}\n  On Debian or Ubuntu: apt install python3-venv"
            ) from e
        groups = groups | (have or set())
        install(place, groups)
        folders = [str(ROOT / name) for name in ("runtime", "actors", "crds", "tiphys")]  # half a second less a start
        subprocess.run([str(place / "bin" / "python"), "-m", "compileall", "-q", *folders], check=False)
        (place / STAMP).write_text(json.dumps({**want, "groups": sorted(groups)}), encoding="utf-8")
        return place
    finally:
        os.close(lock)


def install(place: Path, groups: set[str]) -> None:
    """Install the project, editable, with its groups."""
    wishes = ["--editable", str(ROOT), *requirements(groups), *([str(DRIVER)] if "test" in groups else [])]
    env = clean_environment()
    uv = shutil.which("uv")
    if uv:
        line = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(place / "bin" / "python")]
        if subprocess.run([*line, *wishes], env=env, check=False).returncode == 0:
            return
        say("uv could not; going on with pip")
    pip = find_pip() or download_pip(place)
    line = [str(place / "bin" / "python"), str(pip), "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*line, "--no-warn-script-location", *wishes], env=env, check=False).returncode != 0:
        raise SetupError(
            "Installing the dependencies failed; pip's words are above.\n"
            "  No network? Set PIP_INDEX_URL to a mirror you can reach, or https_proxy. Then run this again."
        )


def requirements(groups: set[str]) -> list[str]:
    """The requirements of pyproject's dependency groups, with the groups they include."""
    import tomllib  # noqa: PLC0415

    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    found: dict[str, None] = {}
    left = sorted(groups)
    while left:
        for entry in tables[left.pop(0)]:
            if isinstance(entry, str):
                found[entry] = None
            else:
                left.append(entry["include-group"])
    return list(found)


def clean_environment() -> dict[str, str]:
    """The environment for installers: nothing that would send packages elsewhere."""
    drop = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"}
    env = {key: value for key, value in os.environ.items() if key not in drop}
    env.setdefault("PIP_INDEX_URL", index_url())
    env.setdefault("UV_DEFAULT_INDEX", index_url())
    if not writable(Path(env.get("HOME") or "/nonexistent")):
        env["UV_CACHE_DIR"] = str(private_cache() / "uv")
        env["PIP_CACHE_DIR"] = str(private_cache() / "pip")
    return env


# ---------------------------------------------------------------------------------------------- where pip comes from


def find_pip() -> Path | None:
    """A pip wheel that is on this machine (ensurepip's, or in PIP_FIND_LINKS): it runs straight from the zip."""
    folders = [Path(folder) for folder in os.environ.get("PIP_FIND_LINKS", "").split() if "://" not in folder]
    with contextlib.suppress(ImportError):
        import ensurepip  # noqa: PLC0415  some systems take it out

        folders.append(Path(ensurepip.__file__).parent / "_bundled")
    folders.append(Path("/usr/share/python-wheels"))
    wheels = [(version(wheel.name), wheel) for folder in folders for wheel in folder.glob("pip-*.whl")]
    new_enough = [(number, wheel) for number, wheel in wheels if number >= PIP_OLDEST]
    return max(new_enough)[1] / "pip" if new_enough else None


def download_pip(place: Path) -> Path:
    """The newest pip wheel of the package index, checked against the index's sha256."""
    base = index_url().rstrip("/") + "/pip/"
    links = links_of(fetch(base), base)
    usable = [link for link in links if fits(link) and version(link["filename"]) >= PIP_OLDEST]
    if not usable:
        raise SetupError(
            f"The package index at {base} has no pip for this Python.\n  Set PIP_INDEX_URL to another one."
        )
    best = max(usable, key=lambda link: version(link["filename"]))
    wheel = fetch(best["url"])
    if hashlib.sha256(wheel).hexdigest() != best["sha256"]:
        raise SetupError(
            f"{best['url']} differs from the sha256 in the index: something between you and it changes files."
        )
    path = place / best["filename"]
    path.write_bytes(wheel)
    return path / "pip"


def index_url() -> str:
    """The package index that this machine is told to use."""
    for key in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if os.environ.get(key):
            return os.environ[key]
    return INDEX


def version(filename: str) -> tuple[int, ...]:
    """The release of a wheel by its file name; empty for a pre-release, which sorts below all."""
    number = filename.split("-")[1]
    return tuple(int(part) for part in number.split(".")) if re.fullmatch(r"[0-9.]+", number) else ()


def fits(link: dict[str, str]) -> bool:
    """Whether a file of the index is a pip wheel for this Python, with a checksum, not withdrawn."""
    oldest = re.search(r">=\s*3\.(\d+)", link["requires-python"])
    new_enough = oldest is None or sys.version_info >= (3, int(oldest[1]))
    is_wheel = re.fullmatch(r"pip-[^-]+-py3-none-any\.whl|pip-[^-]+-py2\.py3-none-any\.whl", link["filename"])
    return bool(is_wheel and new_enough and link["sha256"] and not link["yanked"])


def links_of(page: bytes, base: str) -> list[dict[str, str]]:
    """The files of an index page, JSON or HTML."""
    if page.lstrip().startswith(b"{"):
        return [
            {
                "filename": str(entry["filename"]),
                "url": urllib.parse.urljoin(base, entry["url"]),
                "sha256": str(entry.get("hashes", {}).get("sha256", "")),
                "requires-python": str(entry.get("requires-python") or ""),
                "yanked": "yes" if entry.get("yanked") else "",
            }
            for entry in json.loads(page)["files"]
        ]
    anchors = Anchors(base)
    anchors.feed(page.decode("utf-8", "replace"))
    return anchors.found


class Anchors(html.parser.HTMLParser):
    """The links of an index page in HTML."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = {key: value or "" for key, value in attrs}
        if tag != "a" or "href" not in fields:
            return
        url, fragment = urllib.parse.urldefrag(urllib.parse.urljoin(self.base, fields["href"]))
        self.found.append(
            {
                "filename": urllib.parse.unquote(url.rsplit("/", 1)[1]),
                "url": url,
                "sha256": fragment[7:] if fragment.startswith("sha256=") else "",
                "requires-python": fields.get("data-requires-python", ""),
                "yanked": "yes" if "data-yanked" in fields else "",
            }
        )


def fetch(url: str) -> bytes:
    """Read a URL (credentials in it are sent as basic authentication)."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    plain = urllib.parse.urlunsplit(parts._replace(netloc=host + (f":{parts.port}" if parts.port else "")))
    accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.2, */*;q=0.1"
    request = urllib.request.Request(plain, headers={"Accept": accept, "User-Agent": "tiphys-dev"})
    if parts.username:
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    bundle = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or None
    try:
        trust = ssl.create_default_context(cafile=bundle)
        with urllib.request.urlopen(request, timeout=DOWNLOAD_TIMEOUT_S, context=trust) as answer:
            return bytes(answer.read())
    except (OSError, ValueError) as e:
        reason = getattr(e, "reason", e)
        raise SetupError(
            f"Cannot read {plain}: {reason}\n"
            "  No network? Set PIP_INDEX_URL to a mirror you can reach, or https_proxy.\n"
            "  A certificate problem? Set SSL_CERT_FILE to your certificates."
        ) from e


# ---------------------------------------------------------------------------------------------- the commands


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def caches() -> dict[str, str]:
    """Where tools keep their caches when those in the tree are not this user's to write."""
    moved = {}
    for name, key in (
        (".pytest_cache", "TIPHYS_PYTEST_CACHE"),
        (".hypothesis", "HYPOTHESIS_STORAGE_DIRECTORY"),
        (".mypy_cache", "MYPY_CACHE_DIR"),
        (".ruff_cache", "RUFF_CACHE_DIR"),
        (".import_linter_cache", "TIPHYS_LINTER_CACHE"),
    ):
        if not writable(ROOT / name):
            moved[key] = str(private_cache() / name.strip("."))
    return moved


def become(place: Path, program: str, arguments: list[str]) -> None:
    """Turn into a program of the environment, so that signals and exit codes are its own."""
    env = {**os.environ, **caches(), "VIRTUAL_ENV": str(place)}
    env["PATH"] = f"{place / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
    env.pop("PYTHONHOME", None)
    path = str(place / "bin" / program)
    os.execve(path, [path, *arguments], env)  # noqa: S606  no shell is the point


def test(arguments: list[str]) -> None:
    place = environment({"test"})
    cache = caches().get("TIPHYS_PYTEST_CACHE")
    os.chdir(ROOT)
    become(place, "python", ["-m", "pytest", "-nauto", *(["-o", f"cache_dir={cache}"] if cache else []), *arguments])


def check() -> int:
    """Run every check, also after one failed; 1 when any did."""
    place = environment({"lint", "test"})
    moved = caches()
    linter = ["--cache-dir", moved["TIPHYS_LINTER_CACHE"]] if "TIPHYS_LINTER_CACHE" in moved else []
    failed = []
    for line in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"], ["lint-imports", *linter]):
        say("$ " + " ".join(line))
        done = subprocess.run(
            [str(place / "bin" / line[0]), *line[1:]], cwd=ROOT, env={**os.environ, **moved}, check=False
        )
        if done.returncode != 0:
            failed.append(" ".join(line))
    say(f"failed: {', '.join(failed)}" if failed else "all checks pass")
    return 1 if failed else 0


def fix() -> int:
    place = environment({"lint"})
    lines = (["check", "--fix"], ["format"])
    return max(subprocess.run([str(place / "bin" / "ruff"), *line], cwd=ROOT, check=False).returncode for line in lines)


def main(arguments: list[str]) -> int:
    """Do what the command line says; the exit code is the tool's."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if arguments else 2
    command, rest = arguments[0], arguments[1:]
    use_new_enough_python()
    if command == "demo":
        become(environment(set()), "tiphys", ["run", str(ROOT / "examples" / "diamond.yaml"), *rest])
    elif command in ("run", "bench", "tiphys"):
        groups = {"bench"} if command == "bench" else set()
        become(environment(groups), "tiphys", rest if command == "tiphys" else [command, *rest])
    elif command in ("soak", "mutants"):
        become(environment({"test"}), "python", ["-m", f"tests.{command}", *rest])
    elif command == "test":
        test(rest)
    elif command == "check":
        return check()
    elif command == "fix":
        return fix()
    elif command == "setup":
        say(str(environment({"dev"})))
    else:
        say(f"There is no command {command!r}.\n\n{USAGE}")
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupError as trouble:
        sys.exit(f"dev.py: {trouble}")
    except KeyboardInterrupt:
        sys.exit(130)
