"""The files that Synapse is configured by."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.servers.certificates import Certificate
from bridge.servers.ports import LOOPBACK

__all__ = ["Federation", "log_settings", "settings", "signing_key"]


@dataclass(frozen=True)
class Federation:
    """How a server meets others on the loopback."""

    port: int
    certificate: Certificate
    authority: Path
    """The certificate of the authority that all of them trust, and no other."""


def settings(
    *,
    name: str,
    url: str,
    port: int,
    data: Path,
    registration_secret: str,
    rate_limits: bool,
    appservices: Sequence[str],
    federation: Federation | None,
) -> dict[str, object]:
    """Return the content of homeserver.yaml."""
    content: dict[str, object] = {
        "server_name": name,
        "public_baseurl": f"{url}/",
        "report_stats": False,
        "serve_server_wellknown": False,
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        "signing_key_path": str(data.parent / "signing.key"),
        "log_config": str(data.parent / "log.yaml"),
        "macaroon_secret_key": secrets.token_urlsafe(32),
        "form_secret": secrets.token_urlsafe(32),
        "registration_shared_secret": registration_secret,
        "enable_registration": False,
        "bcrypt_rounds": 4,  # accounts are made by the dozen, and their passwords protect nothing
        "database": {"name": "sqlite3", "args": {"database": str(data / "homeserver.db")}},
        "media_store_path": str(data / "media"),
        "url_preview_enabled": False,
        "presence": {"enabled": False},
        "app_service_config_files": list(appservices),
        "listeners": [_listener(port, "client")],
    }
    if federation is not None:
        content["listeners"] = [_listener(port, "client"), _listener(federation.port, "federation")]
        content |= _federation(federation)
    if not rate_limits:
        content |= _without_rate_limits()
    return content


def signing_key(seed: bytes) -> str:
    """Return the file that holds the server's Ed25519 key."""
    return f"ed25519 a_1 {base64.b64encode(seed).rstrip(b'=').decode()}\n"


def log_settings() -> dict[str, object]:
    """Return the content of the log configuration: all goes where the process's output goes."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"output": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": "INFO", "handlers": ["output"]},
    }


def _listener(port: int, resource: str) -> dict[str, object]:
    return {
        "port": port,
        "type": "http",
        "tls": resource == "federation",
        "bind_addresses": [LOOPBACK],
        "resources": [{"names": [resource], "compress": False}],
    }


def _federation(federation: Federation) -> dict[str, object]:
    return {
        "tls_certificate_path": str(federation.certificate.certificate),
        "tls_private_key_path": str(federation.certificate.key),
        "federation_custom_ca_list": [str(federation.authority)],
        "ip_range_blacklist": [],  # by default it connects to no private address
        # A server that was down is tried again after seconds, not after 10 minutes to a week.
        "federation": {
            "client_timeout": "10s",
            "destination_min_retry_interval": "1s",
            "destination_retry_multiplier": 2,
            "destination_max_retry_interval": "10s",
            "max_short_retries": 1,
            "max_short_retry_delay": "1s",
        },
    }


def _without_rate_limits() -> dict[str, object]:
    """Return settings that nobody can exceed: Synapse has none that means "off"."""
    off = {"per_second": 100_000, "burst_count": 100_000}
    return {
        "rc_message": off,
        "rc_registration": off,
        "rc_login": {"address": off, "account": off, "failed_attempts": off},
        "rc_joins": {"local": off, "remote": off},
        "rc_joins_per_room": off,
        "rc_invites": {"per_room": off, "per_user": off, "per_issuer": off},
        "rc_room_creation": off,
        "rc_key_requests": off,
        "rc_admin_redaction": off,
        "rc_media_create": off,
        "rc_presence": {"per_user": off},
        "rc_delayed_event_mgmt": off,
        "rc_federation": {
            "window_size": 1000,
            "sleep_limit": 1_000_000,
            "sleep_delay": 1,
            "reject_limit": 1_000_000,
            "concurrent": 100,
        },
    }
