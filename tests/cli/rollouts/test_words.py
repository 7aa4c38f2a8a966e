"""The words of a command line: a kind and names as kubectl takes them, and a note where nothing will change."""

from __future__ import annotations

from typing import Any, cast

import pytest

from runtime.objects import Object, Reference
from tests.cli.rollouts.family import rollout
from tiphys.cli.app import run_app
from tiphys.cli.connect import Connection
from tiphys.cli.problems import InputError
from tiphys.cli.rollouts import actions, verbs
from tiphys.cli.rollouts.commands import _meant, _plain
from tiphys.cli.rollouts.objects import EXPERIMENTS, ROLLOUTS


@pytest.mark.parametrize(
    ("words", "kind", "names"),
    [
        (["web"], ROLLOUTS, ["web"]),
        (["rollout", "web"], ROLLOUTS, ["web"]),
        (["Rollout/web"], ROLLOUTS, ["web"]),
        (["rollouts.argoproj.io/web", "rollouts.argoproj.io/api"], ROLLOUTS, ["web", "api"]),
        (["rollouts.argoproj.io", "web"], ROLLOUTS, ["web"]),
        (["exp/e"], EXPERIMENTS, ["e"]),
        (["experiment", "a", "b"], EXPERIMENTS, ["a", "b"]),
    ],
)
def test_a_kind_may_stand_before_its_names(words: list[str], kind: object, names: list[str]) -> None:
    assert _meant(words, "rollout", "experiment") == (kind, names)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["pod/web"], "'pod' is no kind here: one of rollout, experiment"),
        (["pod", "web"], "'pod' is no kind here"),
        (["rollout/web", "exp/e"], "name one kind"),
        (["rollout/web", "api"], "name one kind"),
    ],
)
def test_other_words_are_told_what_is_wanted(words: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        _meant(words, "rollout", "experiment")


def test_one_name_may_have_its_kind_before_it() -> None:
    assert [_plain(name) for name in ("web", "rollout/web", "ro/web")] == ["web"] * 3
    with pytest.raises(InputError, match="the name of a Rollout is wanted"):
        _plain("deployment/web")


class Cluster:
    """One Rollout, and what was patched."""

    namespace = "default"

    def __init__(self, thing: Object) -> None:
        self.api, self._thing = self, thing

    async def get(self, ref: Reference) -> Object:
        return self._thing

    async def patch(self, ref: Reference, body: Any, **how: Any) -> None:
        self._thing = {**self._thing, "patched": body}


async def test_what_changes_nothing_is_noted_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    refs, said = [Reference(ROLLOUTS, "default", "demo")], "rollout '{}' promoted".format
    for thing, note in ((rollout(abort=True), "note: demo: it is aborted: "), (rollout(), "")):
        at = cast("Connection", Cluster(thing))
        await verbs.act(at, refs, actions.promote, said, actions.nothing_to_promote)
        told = capsys.readouterr()
        assert told.out == "rollout 'demo' promoted\n"
        assert told.err.startswith(note)
        assert bool(told.err) == bool(note)


def test_lint_takes_files_with_and_without_an_option(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: demo}\nspec: {}\n")
    codes = [run_app(["rollouts", "lint", *words]) for words in ([str(path)], ["-f", str(path)], [])]
    assert codes == [1, 1, 2]
    assert "lint what? Give files" in capsys.readouterr().err
