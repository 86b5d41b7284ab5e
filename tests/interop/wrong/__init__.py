"""Programs that answer wrongly on purpose, each a real one: what a seat and a script must survive."""
