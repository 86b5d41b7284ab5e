"""The XMPP transport: its pure parts by themselves, the whole of it against real servers."""
