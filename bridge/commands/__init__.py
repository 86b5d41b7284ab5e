"""The program's commands, one module each.

A command is a function with typer's annotations. Its module keeps everything else that is about the command line
(wording, tables, exit codes) and calls the rest of the package for the work. `bridge.cli` lists the commands.
"""

__all__: list[str] = []
