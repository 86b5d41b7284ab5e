"""YAML files: plain data with the line of each key. Duplicate keys and aliases are refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bridge.config.problems import KeyPath, Problem

__all__ = ["Document", "Value", "parse"]

Value: TypeAlias = "dict[str, Value] | list[Value] | object"

QUOTES = "put it in quotes: a value that begins with @, !, `, % or & has another meaning without"


@dataclass
class Document:
    """What a file says, and where it says it."""

    value: Value = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    """From keys to lines, counted from 1."""
    problems: list[Problem] = field(default_factory=list)
    """What is wrong with the file as YAML."""

    def line(self, path: KeyPath) -> int | None:
        """Return the line of a key, or of the nearest part around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def scalars(self) -> Iterator[tuple[KeyPath, str]]:
        """Yield every text in it, and where."""
        return _scalars((), self.value)


def parse(text: str) -> Document:
    """Return what a YAML file says. All that is wrong with it is in its `problems`."""
    document = Document()
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None:
            document.value = _Reader(loader, document).read((), node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"is not valid YAML: {error.problem or error.context}"
        is_indicator = "cannot start any token" in what or error.context == "while scanning a tag"
        advice = QUOTES if is_indicator else "look at this line, and the one above it"
        document.problems.append(Problem((), mark.line + 1 if mark else None, what, advice))
    except yaml.YAMLError as error:  # a character that YAML does not allow: its message shows the character's number
        reason = getattr(error, "reason", "it cannot be read")
        document.problems.append(Problem((), None, f"is not valid YAML: {reason}", "save it as text in UTF-8"))
    except RecursionError:
        document.problems.append(Problem((), None, "is nested too deeply", "nothing here needs that"))
    return document


TEXT = "tag:yaml.org,2002:str"


class _Reader:
    """Walks the nodes of one document."""

    def __init__(self, loader: yaml.SafeLoader, document: Document) -> None:
        self.loader = loader
        self.document = document
        self.seen: set[int] = set()

    def read(self, path: KeyPath, node: Node) -> Value:
        if id(node) in self.seen:
            # Nine lines of aliases to aliases stand for a billion values.
            line = self.document.line(path)  # the node's own line is where it was first
            self.document.problems.append(Problem(path, line, "is an alias (*)", "write the value out"))
            return None
        self.seen.add(id(node))
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return self.read_mapping(path, node)
        if isinstance(node, SequenceNode):
            return [self.read((*path, position), item) for position, item in enumerate(node.value)]
        return self.read_scalar(path, node)

    def read_scalar(self, path: KeyPath, node: Node) -> Value:
        try:
            value: Value = self.loader.construct_object(node)
        except yaml.YAMLError:
            self.refuse(path, node, "has a type that is not known here", QUOTES)
        except ValueError:
            self.refuse(path, node, "looks like a number or a date, and is none", "put it in quotes")
        else:
            return value
        return None

    def read_mapping(self, path: KeyPath, node: MappingNode) -> Value:
        mapping: dict[str, Value] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode) or key_node.tag != TEXT:
                self.refuse(path, key_node, "has a key that is not text", "put it in quotes")
                continue
            key: str = key_node.value
            here = (*path, key)
            if key in mapping:
                self.refuse(
                    here, key_node, "is there twice", f"keep one; the first is in line {self.document.line(here)}"
                )
                continue
            self.document.lines[here] = key_node.start_mark.line + 1
            mapping[key] = self.read(here, value_node)
        return mapping

    def refuse(self, path: KeyPath, node: Node, what: str, advice: str) -> None:
        self.document.problems.append(Problem(path, node.start_mark.line + 1, what, advice))


def _scalars(path: KeyPath, value: Value) -> Iterator[tuple[KeyPath, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for key, item in value.items():
                yield from _scalars((*path, key), item)
        case list():
            for position, item in enumerate(value):
                yield from _scalars((*path, position), item)
        case _:
            pass
