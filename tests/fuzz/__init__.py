"""Hostile bytes for the engine: ``python -m tests.fuzz``, or ``make fuzz``.

Each target is a function from bytes to nothing that raises for what must not happen: any exception but the
engine's own for bad input, an encoding that is not the one that was decoded, a state that changed. `driving` finds
the bytes: with atheris (libFuzzer), which sees what the engine does with them, or, where there is no atheris for the
running Python, with random changes to the same seeds. The seeds come from the engine itself.
"""
