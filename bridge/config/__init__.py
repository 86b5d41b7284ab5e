"""The configuration of a process: one YAML file, its models, and where secrets come from.

`load` reads a file. What is wrong with it is told all at once, with the line, the key, and what would be right.
"""

from bridge.config.accounts import Account, AppserviceLogin, ComponentLogin, MatrixAccount, PasswordLogin, XmppAccount
from bridge.config.loading import load
from bridge.config.models import Config, Health, Log, Store
from bridge.config.problems import ConfigError, Problem
from bridge.config.rooms import Member, Mode, Room, Side
from bridge.config.secrets import Secret, SecretError, read_key, read_secret

__all__ = [
    "Account",
    "AppserviceLogin",
    "ComponentLogin",
    "Config",
    "ConfigError",
    "Health",
    "Log",
    "MatrixAccount",
    "Member",
    "Mode",
    "PasswordLogin",
    "Problem",
    "Room",
    "Secret",
    "SecretError",
    "Side",
    "Store",
    "XmppAccount",
    "load",
    "read_key",
    "read_secret",
]
