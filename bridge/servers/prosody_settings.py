"""The file that Prosody is configured by."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from bridge.servers.ports import LOOPBACK
from bridge.servers.xmpp import XmppSettings

__all__ = ["configuration"]

Value: TypeAlias = "str | int | bool | list[str] | list[int] | Mapping[str, Value]"

MODULES = [
    "blocklist",
    "bookmarks",
    "carbons",
    "csi_simple",
    "disco",
    "mam",
    "pep",
    "ping",
    "posix",
    "private",
    "roster",
    "saslauth",
    "smacks",
    "time",
    "uptime",
    "vcard4",
    "vcard_legacy",
    "version",
]
"""What Debian's configuration enables, and the archive, without what needs a network or other accounts' trust."""


def configuration(
    settings: XmppSettings, c2s_port: int, component_port: int, direct_tls_port: int | None, *, data: Path, log: Path
) -> str:
    """Return the content of prosody.cfg.lua."""
    tls, components = settings.tls, settings.components
    modules = [*MODULES, *(["limits"] if settings.limits else []), *(["tls"] if tls is not None else [])]
    everywhere: dict[str, Value] = {
        "run_as_root": os.geteuid() == 0,  # in a container; another user could read neither the cache nor the folder
        "certificates": str(data.parent),
        "data_path": str(data),
        "log": {"info": str(log)},
        "use_ipv6": False,
        "interfaces": [LOOPBACK],
        "local_interfaces": [LOOPBACK],
        "c2s_ports": [c2s_port],
        "component_ports": [component_port] if components else [],
        "component_interfaces": [LOOPBACK],
        "s2s_ports": [],
        "http_ports": [],
        "https_ports": [],
        "modules_enabled": modules,
        "modules_disabled": ["s2s"],
        "authentication": "internal_hashed",
        "storage": "internal",
        "archive_expires_after": "never",
        "c2s_require_encryption": tls is not None,
        "allow_unencrypted_plain_auth": tls is None,
    }
    if settings.limits:
        everywhere["limits"] = {"c2s": {"rate": "10kb/s"}, "s2sin": {"rate": "30kb/s"}}
    if tls is not None:
        everywhere["c2s_direct_tls_ports"] = [] if direct_tls_port is None else [direct_tls_port]
        everywhere["c2s_direct_tls_interfaces"] = [LOOPBACK]
        everywhere["ssl"] = {"certificate": str(tls.certificate), "key": str(tls.key)}
    rooms: dict[str, Value] = {
        "modules_enabled": ["muc_mam"],
        "restrict_room_creation": False,
        "muc_log_by_default": True,
        "muc_log_presences": False,
        "muc_log_expires_after": "never",
    }
    parts = [
        _assignments(everywhere),
        f"VirtualHost {_lua(settings.domain)}\n",
        f'Component {_lua(settings.muc_domain)} "muc"\n{_assignments(rooms)}',
        *(
            f"Component {_lua(name)}\n{_assignments({'component_secret': secret})}"
            for name, secret in components.items()
        ),
    ]
    return "\n".join(parts)


def _assignments(values: Mapping[str, Value]) -> str:
    return "".join(f"{name} = {_lua(value)}\n" for name, value in values.items())


def _lua(value: Value) -> str:
    """Return a value as Lua writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            if not value.isprintable():
                raise ValueError(f"{value!r} has characters that do not belong in a setting")
            return json.dumps(value, ensure_ascii=False)
        case list():
            return "{ " + ", ".join(map(_lua, value)) + " }"
        case _:
            return "{ " + ", ".join(f"{name} = {_lua(part)}" for name, part in value.items()) + " }"
