"""The engine's public face: what `mls` offers is there, is documented, and does what its documentation shows."""

from __future__ import annotations

import doctest
import importlib
import inspect
import operator
import pkgutil
import re
import runpy
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

import mls
from mls import errors, persistence
from mls.group.received import Change, Received

ROOT = Path(__file__).parent.parent.parent
MODULES = ["mls", *(module.name for module in pkgutil.walk_packages(mls.__path__, "mls."))]
VALUES = {"CIPHER_SUITES", "Change", "EXPERIMENTAL_CIPHER_SUITES", "ProposalRules", "Received", "system_random"}
"""What is neither a class nor a function of the engine's, and has its documentation where it is defined."""


@pytest.mark.parametrize("name", mls.__all__)
def test_what_is_offered_is_there_and_documented(name: str) -> None:
    value = getattr(mls, name)
    if name in VALUES:
        assert not inspect.isclass(value)
        return
    assert inspect.isclass(value) or inspect.isfunction(value)
    assert inspect.cleandoc(value.__doc__ or "").endswith((".", "`.", ")"))
    assert value.__module__.startswith("mls.")
    for member, found in vars(value).items() if inspect.isclass(value) else ():
        if not member.startswith("_") and (inspect.isfunction(found) or isinstance(found, property)):
            assert inspect.getdoc(getattr(value, member)), f"{name}.{member}"


def test_all_that_process_gives_is_offered() -> None:
    for union in (Received, Change):
        assert {kind.__name__ for kind in get_args(union)} <= set(mls.__all__)


def test_errors_are_offered() -> None:
    assert set(errors.__all__) - set(mls.__all__) == {"MalformedError"}, "which is a DecodeError and a RuleError"
    assert all(issubclass(getattr(errors, name), mls.MlsError) for name in errors.__all__)


def test_what_the_documentation_names_is_there() -> None:
    assert mls.__doc__ is not None
    names = set(re.findall(r"`([\w.]+)`", mls.__doc__)) - {"now", "match"}
    assert {"create", "protect", "process", "GroupState.epoch_authenticator", "mls.persistence"} <= names
    for name in names - {"mls.persistence", "mls.errors"}:
        holder = persistence if hasattr(persistence, name) else mls
        assert operator.attrgetter(name)(holder), name


@pytest.mark.parametrize("name", MODULES)
def test_modules_say_what_they_offer(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    offered = getattr(module, "__all__", [])
    for item in offered:
        assert hasattr(module, item), item
    if not hasattr(module, "__path__"):  # a package's own face may be empty
        own = {
            item
            for item, value in vars(module).items()
            if not item.startswith("_")
            and (inspect.isclass(value) or inspect.isfunction(value))
            and value.__module__ == name
        }
        assert own & set(offered) or not own, f"{name} offers nothing"


def test_the_example_in_the_documentation() -> None:
    result = doctest.testmod(mls)
    assert result.attempted >= 4
    assert result.failed == 0


def test_three_friends(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "docs" / "examples" / "three_friends.py"), run_name="__main__")
    shown = capsys.readouterr()
    assert shown.err == ""
    happened = [line.strip() for line in shown.out.splitlines() if line.startswith("    ")]
    told = [line for line in happened if not re.fullmatch(r"\(\d+ bytes travel\)", line)]
    assert len(happened) - len(told) == 6
    assert told[:-1] == [
        "Alice sees Bob come in, epoch 1",
        "Alice sees Carol come in, epoch 1",
        "Alice sees fresh keys of Alice, epoch 1",
        "Bob reads from Alice: Tea on Sunday?",
        "Carol reads from Alice: Tea on Sunday?",
        "Alice reads from Carol: I bring the cake.",
        "Bob reads from Carol: I bring the cake.",
        "Alice sees fresh keys of Bob, epoch 2",
        "Bob sees fresh keys of Bob, epoch 2",
        "Carol sees fresh keys of Bob, epoch 2",
        "Alice keeps a proposal in mind",
        "Bob keeps a proposal in mind",
        "Alice sees Carol go, epoch 3",
        "Alice sees fresh keys of Alice, epoch 3",
        "Bob sees Carol go, epoch 3",
        "Bob sees fresh keys of Alice, epoch 3",
        "Carol sees Carol go, epoch 3",
        "Carol sees fresh keys of Alice, epoch 3",
        "Carol is out, and can read nothing from now on",
        "Bob reads from Alice: A surprise party for Carol, then.",
    ]
    assert told[-1].startswith("Carol: ")
    assert told[-1].endswith("have epoch 2, got 3")


def test_the_face_has_no_more_than_it_says() -> None:
    found = {
        name
        for name, value in vars(mls).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    }
    assert found == set(mls.__all__)
