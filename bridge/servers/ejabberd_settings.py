"""The file that ejabberd is configured by."""

from __future__ import annotations

from pathlib import Path

from bridge.servers.ports import LOOPBACK
from bridge.servers.xmpp import XmppSettings

__all__ = ["configuration"]


def configuration(
    settings: XmppSettings, c2s_port: int, component_port: int, direct_tls_port: int | None, api_port: int, data: Path
) -> dict[str, object]:
    """Return the content of ejabberd.yml. Sizes and shapers are those of its example configuration."""
    tls, components = settings.tls, settings.components
    clients: dict[str, object] = {
        "port": c2s_port,
        "ip": LOOPBACK,
        "module": "ejabberd_c2s",
        "max_stanza_size": 262144,
        "shaper": "c2s_shaper",
        "access": "all",
    }
    listeners: list[dict[str, object]] = [
        {**clients, "starttls_required": True} if tls is not None else clients,
        {"port": api_port, "ip": LOOPBACK, "module": "ejabberd_http", "request_handlers": {"/api": "mod_http_api"}},
    ]
    if direct_tls_port is not None:
        listeners.append({**clients, "port": direct_tls_port, "tls": True})
    if components:
        hosts = {name: {"password": secret} for name, secret in components.items()}
        listeners.append({"port": component_port, "ip": LOOPBACK, "module": "ejabberd_service", "hosts": hosts})
    return {
        "hosts": [settings.domain],
        "loglevel": "warning",  # more would write the passwords of new accounts into the log
        "log_rotate_count": 0,
        **({"certfiles": [str(tls.certificate), str(tls.key)]} if tls is not None else {}),
        "listen": listeners,
        "s2s_access": "none",
        # Its own database, Mnesia, loses some seconds of everything when it is killed.
        "default_db": "sql",
        "sql_type": "sqlite",
        "sql_database": str(data / "ejabberd.sqlite"),
        "auth_method": "sql",
        "auth_password_format": "scram",
        "disable_sasl_mechanisms": ["digest-md5", "X-OAUTH2"],
        "registration_timeout": "infinity",
        "acl": {"loopback": {"ip": "127.0.0.0/8"}},
        "api_permissions": {"accounts": {"who": [{"acl": "loopback"}], "what": ["register"]}},
        "shaper": {"normal": {"rate": 3000, "burst_size": 20000}},
        "shaper_rules": {"c2s_shaper": {("normal" if settings.limits else "none"): "all"}, "max_user_sessions": 10},
        "modules": _modules(settings.muc_domain),
    }


def _modules(muc_domain: str) -> dict[str, object]:
    """Return those of the example configuration that matter to a chat, and the archive."""
    return {
        "mod_blocking": {},
        "mod_caps": {},
        "mod_carboncopy": {},
        "mod_client_state": {},
        "mod_disco": {},
        "mod_http_api": {},
        "mod_mam": {"default": "always"},
        "mod_muc": {
            "host": muc_domain,
            "access": "all",
            "access_create": "all",
            "access_persistent": "all",
            "access_mam": "all",
            "default_room_options": {"mam": True},
        },
        "mod_offline": {},
        "mod_ping": {},
        "mod_privacy": {},
        "mod_private": {},
        "mod_pubsub": {"plugins": ["flat", "pep"]},
        "mod_roster": {"versioning": True},
        "mod_stream_mgmt": {"resend_on_timeout": "if_offline"},
        "mod_vcard": {"search": False},
        "mod_version": {},
    }
