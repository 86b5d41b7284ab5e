"""`mls-bridge demo`: real servers, a bridge, three people; and a search for what must not be there."""
