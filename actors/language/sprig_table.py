"""The `sprig` map: every function of Sprig that needs neither the machine nor a key generator.

The others are in it too, and say when called that they are not offered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.language.faults import Fault
from actors.language.native import Native
from actors.language.sprig_collections import COLLECTIONS
from actors.language.sprig_numbers import NUMBERS
from actors.language.sprig_other import OTHER
from actors.language.sprig_text import STRINGS
from actors.language.sprig_times import TIMES

NOT_OFFERED = (
    *("bcrypt", "htpasswd", "derivePassword", "encryptAES", "decryptAES"),
    *("genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey"),
    *("genSignedCert", "genSignedCertWithKey", "buildCustomCert", "getHostByName", "semver", "env", "expandenv"),
)


def _refusal(name: str) -> Callable[..., Any]:
    def refuse(*_arguments: Any) -> Any:
        raise Fault(f"sprig.{name} is not offered in expressions: do this in a container or script of the workflow")

    return refuse


SPRIG: dict[str, Native] = {
    **{name: Native(f"sprig.{name}", "A", _refusal(name)) for name in NOT_OFFERED},
    **{
        name: Native(f"sprig.{name}", signature, function, nil_is_zero=True)
        for table in (STRINGS, NUMBERS, COLLECTIONS, TIMES, OTHER)
        for name, (signature, function) in table.items()
    },
}
