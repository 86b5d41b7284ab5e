"""Every rule of the engine has a test that breaks it, and that test notices when the rule is switched off."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import tests.mls.rules as package
from mls.rules import RULES
from tests.mls.rules.support import PROOFS, switched_off

for _module in pkgutil.iter_modules(package.__path__):
    if _module.name.startswith("test_") and _module.name != "test_every_rule":
        importlib.import_module(f"{package.__name__}.{_module.name}")


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_is_proven(name: str) -> None:
    assert PROOFS[name], f"no test breaks {name}"
    for proof in PROOFS[name]:
        with switched_off(RULES[name]), pytest.raises((Exception, pytest.fail.Exception)):
            proof()
