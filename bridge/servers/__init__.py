"""Real servers, without root and without configuration: for the demonstration and for tests."""

from bridge.servers.cache import CACHE_VARIABLE, Say, cache_directory
from bridge.servers.certificates import Authority, Certificate
from bridge.servers.ejabberd import Ejabberd, EjabberdServer
from bridge.servers.errors import ServerError, ServerRefusedError, ServerStartError, ServerUnavailableError
from bridge.servers.prosody import Prosody, ProsodyServer
from bridge.servers.server import Server
from bridge.servers.synapse import Synapse, SynapseServer
from bridge.servers.xmpp import XmppServer, XmppSettings, XmppSoftware

__all__ = [
    "CACHE_VARIABLE",
    "Authority",
    "Certificate",
    "Ejabberd",
    "EjabberdServer",
    "Prosody",
    "ProsodyServer",
    "Say",
    "Server",
    "ServerError",
    "ServerRefusedError",
    "ServerStartError",
    "ServerUnavailableError",
    "Synapse",
    "SynapseServer",
    "XmppServer",
    "XmppSettings",
    "XmppSoftware",
    "cache_directory",
]
