"""What every struct's values have in common beside the wire: they never change, never mix, and keep secrets."""

from __future__ import annotations

import copy
import pickle
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from mls.codec import Struct
from mls.codec.selects import Conditional, UnionType
from mls.codec.types import FixedOpaque, Integer, Nested, OpaqueType, OptionalType, Vector, WireType
from mls.errors import UsageError
from mls.registry import ContentType
from mls.wire.credentials import BasicCredential, Certificate, X509Credential
from mls.wire.extensions import ApplicationId
from mls.wire.framing import Member, NewMemberProposal, PrivateContentAAD, SenderData
from mls.wire.leaf_node import Lifetime
from mls.wire.proposals import Remove
from mls.wire.welcome import GroupSecrets, PathSecret
from tests.mls.codec.corpus import examples
from tests.mls.codec.grammar import wire_structs
from tests.mls.codec.support import every_retained_struct, every_struct

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = b"never to be seen"

HIDING = [
    pytest.param(kind, field.name, id=f"{kind.__name__}-{field.name}")
    for kind in wire_structs()
    for field in kind.wire_fields
    if field.hidden
]


@every_struct
def test_a_value_cannot_be_changed(kind: type[Struct]) -> None:
    value = examples(kind)[0]
    before = repr(value)
    for name in [*(field.name for field in kind.wire_fields), "_encoded", "another"]:
        with pytest.raises(AttributeError, match="is immutable"):
            setattr(value, name, b"")
        with pytest.raises(AttributeError, match="is immutable"):
            delattr(value, name)
    assert not hasattr(value, "__dict__")
    assert repr(value) == before


@every_struct
def test_equality_is_that_of_all_fields(kind: type[Struct]) -> None:
    for one, other in product(examples(kind), repeat=2):
        assert (one == other) is (one.encode() == other.encode())
        assert (one != other) is not (one == other)
        if one == other:
            assert hash(one) == hash(other)


@every_struct
def test_another_class_is_never_equal(kind: type[Struct]) -> None:
    for value in examples(kind):
        assert all(value != examples(other)[0] for other in wire_structs() if other is not kind)
        assert value != value.encode()
        assert value.__eq__(None) is NotImplemented


def test_the_same_fields_in_different_structs_are_different_values() -> None:
    assert Member(7).encode() == Remove(7).encode()
    assert Member(7) != Remove(7)
    assert len({Member(7), Remove(7), Member(7), BasicCredential(b""), ApplicationId(b"")}) == 4


@every_struct
def test_copies_are_the_value_itself_or_refused(kind: type[Struct]) -> None:
    value = examples(kind)[0]
    assert copy.copy(value) is value
    with pytest.raises(UsageError, match="never deep-copied"):
        copy.deepcopy([value])  # noqa: TID251 - that it is refused is the point
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(value, protocol)


@every_struct
def test_replace_changes_what_it_is_told_to(kind: type[Struct]) -> None:
    values = examples(kind)
    for one, other in product(values, values[:1]):
        assert one.replace() == one
        fields = {field.name: getattr(other, field.name) for field in kind.wire_fields}
        changed = one.replace(**fields)
        assert changed == other
        assert changed.encode() == other.encode()
    with pytest.raises(TypeError):
        values[0].replace(no_such_field=1)


@every_retained_struct
def test_replace_forgets_the_kept_encoding(kind: type[Struct]) -> None:
    value = examples(kind)[0]
    encoding = value.encode()
    assert value.replace().encode() == encoding
    assert value.replace().encode() is not encoding


@every_struct
def test_fields_are_given_in_order_or_by_name_and_all_of_them(kind: type[Struct]) -> None:
    value = examples(kind)[0]
    fields = {field.name: getattr(value, field.name) for field in kind.wire_fields}
    assert kind(*fields.values()) == kind(**fields) == value
    for name in fields:
        with pytest.raises(TypeError, match=name):
            kind(**{other: content for other, content in fields.items() if other != name})
    with pytest.raises(TypeError, match="one_too_many"):
        kind(**fields | {"one_too_many": b""})


# What is shown


@every_struct
def test_repr_names_every_field(kind: type[Struct]) -> None:
    for value in examples(kind):
        shown = repr(value)
        assert shown.startswith(f"{kind.__name__}(")
        assert all(f"{field.name}=" in shown for field in kind.wire_fields)


def test_repr_of_a_small_value() -> None:
    assert repr(Member(7)) == "Member(leaf_index=7)"
    assert repr(NewMemberProposal()) == "NewMemberProposal()"
    assert repr(SenderData(1, 2, b"\x00\x01\x02\x03")) == "SenderData(leaf_index=1, generation=2, reuse_guard=00010203)"
    aad = PrivateContentAAD(b"", 3, ContentType.COMMIT, b"")
    assert "content_type=<ContentType.COMMIT: 3>" in repr(aad)


def test_repr_of_a_large_value_is_short() -> None:
    assert repr(BasicCredential(bytes(32))) == f"BasicCredential(identity={'00' * 32})"
    assert repr(BasicCredential(bytes(33))) == f"BasicCredential(identity={'00' * 16}...<33 bytes>)"
    chain = (Certificate(b""),)
    assert repr(X509Credential(chain * 8)).count("Certificate(") == 8
    assert repr(X509Credential(chain * 9)) == "X509Credential(certificates=<9 items>)"


@pytest.mark.parametrize("kind, field", HIDING)
def test_a_hidden_field_shows_its_length_alone(kind: type[Struct], field: str) -> None:
    shown = repr(examples(kind)[0].replace(**{field: SECRET}))
    assert f"{field}=<{len(SECRET)} bytes>" in shown
    assert_nothing_of(SECRET, shown)


def test_group_secrets_show_no_secret() -> None:
    secrets = GroupSecrets(SECRET, PathSecret(SECRET[::-1]), ())
    shown = f"{secrets!r} {secrets} {secrets.path_secret} {[secrets]}"
    assert shown.count(f"<{len(SECRET)} bytes>") == 7
    assert_nothing_of(SECRET, shown)
    assert_nothing_of(SECRET[::-1], shown)


def test_errors_show_no_secret() -> None:
    for wrong in (GroupSecrets(SECRET, PathSecret(SECRET), 5), GroupSecrets(SECRET, SECRET, ())):  # type: ignore[arg-type]
        with pytest.raises(UsageError) as caught:
            wrong.encode()
        assert_nothing_of(SECRET, f"{caught.value!r} {caught.value.__cause__!r}")


def assert_nothing_of(secret: bytes, shown: str) -> None:
    for trace in (secret.hex(), secret.decode(), repr(secret)):
        assert trace[:8] not in shown


# What cannot be encoded


@every_struct
def test_a_value_that_does_not_fit_cannot_be_encoded(kind: type[Struct]) -> None:
    plain = examples(kind)[0]
    for field in kind.wire_fields:
        for wrong in misfits(field.type, getattr(plain, field.name)):
            value = plain.replace(**{field.name: wrong})
            for _ in range(2):  # nor at the second attempt, where the encoding is kept
                with pytest.raises(UsageError, match=f"this {kind.__name__} cannot be encoded: "):
                    value.encode()


def misfits(wire_type: WireType, present: object) -> Iterator[Any]:
    """Yield values that are none of a wire type."""
    match wire_type:
        case Integer(size=size):
            yield from (-1, 256**size, 2**200, 1.5, "1", b"1", None)
        case OpaqueType():
            yield from (5, 1.5, "text", [1, 2], (), None)
        case FixedOpaque(size=size):
            yield from (bytes(size - 1), bytes(size + 1), b"", "t" * size, [1] * size, 5, None)
        case Vector(element=element):
            yield from (5, None, Lifetime(1, 2))
            yield from ((wrong,) for wrong in misfits(element, None))
        case OptionalType(inner=inner):
            yield from (wrong for wrong in misfits(inner, None) if wrong is not None)
        case Nested():
            yield from (5, "text", b"bytes", (), None)
        case UnionType():
            yield from (5, "text", b"bytes", (), Lifetime(1, 2), None)
        case Conditional(inner=inner):
            yield from misfits(inner, None) if present is not None else (b"", 0, Lifetime(1, 2))
        case _:
            return  # any number of the right size is taken for an enum or a constant


def test_what_a_condition_asks_for_must_be_there_and_nothing_else() -> None:
    """Both ways, for each field that another one switches on."""
    found = 0
    for kind in wire_structs():
        conditional = [field for field in kind.wire_fields if isinstance(field.type, Conditional)]
        for value, field in product(examples(kind), conditional):
            assert isinstance(field.type, Conditional)
            on = getattr(value, field.name) is not None
            assert on is field.type.when.test(getattr(value, field.type.when.field))
            with pytest.raises(UsageError):
                value.replace(**{field.name: None if on else b""}).encode()
            found += 1
    assert found > 10
