"""With which credentials a private image's registry is asked: those of the pod's pull secrets, as kubelets read them.

The secrets are those that the workflow names, else those of its service account. The controller may not read Secrets
unless a namespace lets it; what could not be read is said, so that the user knows what is missing. (TMPL-14)
"""

from __future__ import annotations

from typing import NamedTuple

from actors.node.image_question import ImageQuestion
from runtime.api import Api, Gone, Refused
from runtime.objects import SECRETS, SERVICE_ACCOUNTS, Reference
from tiphys.pull_credentials import Credential, entries, matches

SECRETS_MAX = 20  # of one pod; who names more has made a mistake


class Found(NamedTuple):
    """The credentials for an image, the most fitting first, and why there are no others."""

    credentials: list[Credential]
    troubles: list[str]


async def found_for(api: Api | None, question: ImageQuestion, registry: str, repository: str) -> Found:
    """The credentials that the question's pull secrets have for that image. Raises Unavailable."""
    if api is None:
        return Found([], [])
    troubles: list[str] = []
    names = list(question.secrets) or await _of_account(api, question, troubles)
    matching: list[tuple[int, Credential]] = []
    for name in names[:SECRETS_MAX]:
        try:
            secret = await api.get(Reference(SECRETS, question.namespace, name))
            matching += matches(entries(secret), registry, repository)
        except Gone:
            troubles.append(f"there is no pull secret {name!r}")
        except Refused:
            troubles.append(f"the controller may not read pull secret {name!r}: let it, or set `command`")
        except ValueError as error:
            troubles.append(f"pull secret {name!r}: {error}")
    matching.sort(key=lambda one: -one[0])
    return Found(list(dict.fromkeys(credential for _, credential in matching)), troubles)


async def _of_account(api: Api, question: ImageQuestion, troubles: list[str]) -> list[str]:
    """The pull secrets of the service account; whoever may not read it has to name them in the workflow."""
    try:
        account = await api.get(Reference(SERVICE_ACCOUNTS, question.namespace, question.account))
    except Gone:
        return []
    except Refused:
        troubles.append(f"imagePullSecrets are not set, and the controller may not read account {question.account!r}")
        return []
    return [str(entry["name"]) for entry in account.get("imagePullSecrets") or () if entry.get("name")]
