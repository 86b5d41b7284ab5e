"""Scripts are read strictly: an error says in which script, step and field."""

from __future__ import annotations

import json

import pytest

from tests.interop import parts, scripts
from tests.interop.parsing import ScriptError, parse
from tests.interop.parts import Actor, Extension

CREATE = {"action": "createGroup", "actor": "alice"}
KEY_PACKAGE = {"action": "createKeyPackage", "actor": "bob"}


def read(*steps: object) -> scripts.Script:
    return parse("file", json.dumps({"scripts": {"name": steps}}).encode())[0]


def test_a_script_is_read() -> None:
    script = read(
        CREATE,
        KEY_PACKAGE,
        {
            "action": "fullCommit",
            "actor": "alice",
            "byValue": [
                {"proposalType": "add", "keyPackage": 1},
                {
                    "proposalType": "groupContextExtensions",
                    "extensions": [{"extension_type": 3, "extension_data": "AAAA"}],
                },
            ],
            "joiners": ["bob"],
            "force_path": True,
        },
    )

    assert script.name == "file/name"
    assert script.actors == ("alice", "bob")
    assert script.steps == (
        scripts.CreateGroup(actor=Actor("alice")),
        scripts.CreateKeyPackage(actor=Actor("bob")),
        scripts.FullCommit(
            actor=Actor("alice"),
            by_value=(
                parts.AddByValue(key_package=1),
                parts.GroupContextExtensionsByValue(extensions=(Extension(extension_type=3, extension_data=bytes(3)),)),
            ),
            joiners=(Actor("bob"),),
            force_path=True,
        ),
    )


@pytest.mark.parametrize("spelling", ["externalTree", "external_tree", "externaltree"])
def test_the_spellings_of_a_field_are_one(spelling: str) -> None:
    assert read(CREATE, {"action": "branch", "actor": "alice", spelling: True}).steps[1] == scripts.Branch(
        actor=Actor("alice"), external_tree=True
    )


def test_scripts_are_read_in_their_order() -> None:
    data = json.dumps({"scripts": {"b": [CREATE], "a": [KEY_PACKAGE]}}).encode()

    assert [script.name for script in parse("file", data)] == ["file/b", "file/a"]


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "file is not valid JSON: "),
        (b"\xff", "file is not valid JSON: "),
        (b"[" * 100_000, "file is not valid JSON: "),
        (b'{"scripts": {}, "scripts": {}}', "file is not valid JSON: an object has a field twice"),
        (b"[]", "file is not an object with the one field `scripts`, an object"),
        (b'{"scripts": []}', "file is not an object with the one field `scripts`, an object"),
        (b'{"scripts": {}, "mode": "all"}', "file is not an object with the one field `scripts`, an object"),
        (b'{"scripts": {"name": {}}}', "file/name: is not an array of steps"),
        (b'{"scripts": {"name": []}}', "file/name: is not an array of steps"),
    ],
)
def test_a_malformed_file_is_an_error(data: bytes, reason: str) -> None:
    with pytest.raises(ScriptError) as error_info:
        parse("file", data)

    assert str(error_info.value).startswith(reason)


@pytest.mark.parametrize(
    "step, reason",
    [
        (7, "file/name, step 2: is not an object"),
        ({"actor": "alice"}, "file/name, step 2: field 'action' is None, which is none of createGroup, "),
        ({"action": "dance"}, "file/name, step 2: field 'action' is 'dance', which is none of createGroup, "),
        ({"action": []}, "file/name, step 2: field 'action' is [], which is none of createGroup, "),
        ({"action": "updateProposal"}, "file/name, step 2 (updateProposal): there is no field 'actor'"),
        ({**CREATE, "extra": 1}, "file/name, step 2 (createGroup): there is no field 'extra'"),
        (
            {"action": "branch", "actor": "a", "forcePath": True, "force_path": True},
            "file/name, step 2 (branch): field 'force_path' is there twice",
        ),
        ({**CREATE, "actor": 1}, "file/name, step 2 (createGroup), field 'actor': is not a name of 1 to 64 characters"),
        (
            {**CREATE, "actor": ""},
            "file/name, step 2 (createGroup), field 'actor': is not a name of 1 to 64 characters",
        ),
        ({**CREATE, "members": "bob"}, "file/name, step 2 (createGroup), field 'members': is not an array"),
        (
            {**CREATE, "members": ["bob", None]},
            "file/name, step 2 (createGroup), field 'members'[1]: is not a name of 1 to 64 characters",
        ),
        (
            {"action": "groupInfo", "actor": "alice", "externalTree": 1},
            "file/name, step 2 (groupInfo), field 'externalTree': is 1 instead of a bool",
        ),
        (
            {"action": "protect", "actor": "alice", "plaintext": 1},
            "file/name, step 2 (protect), field 'plaintext': is 1 instead of a str",
        ),
        (
            {"action": "addProposal", "actor": "alice", "keyPackage": 0},
            "file/name, step 2 (addProposal), field 'keyPackage': step 0 leaves no key package",
        ),
        (
            {"action": "addProposal", "actor": "alice", "keyPackage": 2},
            "file/name, step 2 (addProposal), field 'keyPackage': step 2 does not come before this one",
        ),
        (
            {"action": "addProposal", "actor": "alice", "keyPackage": -1},
            "file/name, step 2 (addProposal), field 'keyPackage': is -1 instead of a number from 0 to 2^32 - 1",
        ),
        (
            {"action": "addProposal", "actor": "alice", "keyPackage": True},
            "file/name, step 2 (addProposal), field 'keyPackage': is True instead of a number from 0 to 2^32 - 1",
        ),
        (
            {"action": "fullCommit", "actor": "alice", "byReference": [1]},
            "file/name, step 2 (fullCommit), field 'byReference'[0]: step 1 leaves no proposal",
        ),
        (
            {"action": "commit", "actor": "alice", "byValue": [{"proposalType": "update"}]},
            "file/name, step 2 (commit), field 'byValue'[0]: field 'proposalType' is 'update', which is none of add, ",
        ),
        (
            {"action": "commit", "actor": "alice", "byValue": [{"proposalType": "add"}]},
            "file/name, step 2 (commit), field 'byValue'[0] (add): there is no field 'key_package'",
        ),
        (
            {"action": "branch", "actor": "alice", "extensions": [{"extension_type": 3, "extension_data": "?"}]},
            "file/name, step 2 (branch), field 'extensions'[0], field 'extension_data': is not base64: ",
        ),
        (
            {"action": "branch", "actor": "alice", "extensions": [{"extension_type": 3, "extension_data": 3}]},
            "file/name, step 2 (branch), field 'extensions'[0], field 'extension_data': is not a string of base64",
        ),
        (
            {"action": "branch", "actor": "alice", "extensions": [3]},
            "file/name, step 2 (branch), field 'extensions'[0]: is not an object",
        ),
    ],
)
def test_a_malformed_step_is_an_error(step: object, reason: str) -> None:
    with pytest.raises(ScriptError) as error_info:
        read(CREATE, KEY_PACKAGE, step)

    assert str(error_info.value).startswith(reason)
