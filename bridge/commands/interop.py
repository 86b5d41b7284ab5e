"""`mls-bridge interop`: the engine behind the MLS working group's test interface."""

import sys
from typing import Annotated

import typer

__all__ = ["run"]

EXIT_FAILED = 1

LOOPBACK = "127.0.0.1"

EXTRA = {"google": "protobuf", "grpc": "grpcio"}
"""What the extra `interop` installs: from the names of its modules to those of its packages."""


def run(
    *,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Serve gRPC on this port; 0 picks a free one.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to serve on. Whoever reaches it can do anything with what is tested.")
    ] = LOOPBACK,
    pipe: Annotated[
        bool, typer.Option("--pipe", help="Answer calls as JSON lines on standard input and output instead.")
    ] = False,
    experimental: Annotated[
        bool, typer.Option("--experimental", help="Offer the post-quantum cipher suites, which are no standard.")
    ] = False,
) -> None:
    """Let other programs drive the engine, to test it against other implementations.

    * **With `--port`** this is a client for the MLS working group's test runner: it serves its gRPC interface,
      `MLSClient`, and `MLSClientExtras` beside it. The first line of the output is `listening on ADDRESS:PORT`.
      SIGTERM and Ctrl-C end it.
    * **With `--pipe`** each line of input is a call, `{"id": 1, "rpc": "Name", "request": {}}`, with the request in
      the JSON form of protobuf, and each line of output its answer, `{"id": 1, "response": {...}, "ns": 12345}` with
      the nanoseconds that it took, or `{"id": 1, "error": {"code": "...", "message": "..."}, "ns": 0}`.
      The end of the input ends it.

    For tests alone: the keys of everybody who takes part are in one process, and some are handed out. Needs the
    extra `interop`: `pip install 'mls-bridge[interop]'`.

    Exit codes: 0 ended as told, 1 it could not start, 2 wrong usage.
    """
    if pipe == (port is not None):
        raise typer.BadParameter("one of --port and --pipe is needed", param_hint="--port")
    if not host:  # gRPC would take that for every address of this machine
        raise typer.BadParameter("an address is needed", param_hint="--host")
    try:
        _run(host, port, experimental=experimental)
    except ModuleNotFoundError as error:
        package = EXTRA.get((error.name or "").partition(".")[0])
        if package is None:
            raise
        typer.echo(f"{package} is not installed: pip install 'mls-bridge[interop]'", err=True)
        raise typer.Exit(EXIT_FAILED) from None


def _run(host: str, port: int | None, *, experimental: bool) -> None:
    """Serve on a port, or on the pipe if there is none.

    Only who tests has protobuf and grpcio, and no other command should wait for them to load: hence the imports here.
    """
    from bridge.interop.host import Host  # noqa: PLC0415 - see above
    from bridge.interop.service import Service  # noqa: PLC0415 - see above

    service = Service(Host(experimental=experimental))
    if port is None:
        from bridge.interop.pipe import answer_lines  # noqa: PLC0415 - see above

        answer_lines(sys.stdin.buffer, sys.stdout.buffer, service)
        return
    from bridge.interop.server import AddressError, serve  # noqa: PLC0415 - see above

    try:
        serve(service, host, port, announce=lambda address: typer.echo(f"listening on {address}"))
    except AddressError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_FAILED) from None
