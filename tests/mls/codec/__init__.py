"""The codec's properties, over every struct that the engine declares."""
