"""``python -m airflow_provider_esp.sandbox --port 8025``: both services on this machine, until stopped."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from . import Sandbox  # first: it says what to install where the extra is missing
from .oauth import registry
from .tls_server import AuthorisationServer


def main(arguments: list[str] | None = None) -> int:
    """Run the sandbox until SIGTERM or SIGINT.

    :return: the process's exit code: 0, or 1 when the port is taken.
    """
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_esp.sandbox",
        description="eSputnik's and SendPulse's APIs on loopback. Nothing is ever sent to anybody.",
    )
    parser.add_argument("--port", type=int, default=8025, help="TCP port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--db", metavar="FILE", help="keep everything in this SQLite file; default: in memory")
    parser.add_argument("--oauth-port", type=int, metavar="PORT", help="eSputnik's authorisation server, over TLS")
    parser.add_argument("--ca-file", metavar="FILE", help="with --oauth-port: write the CA's certificate here")
    chosen = parser.parse_args(arguments)

    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    sandbox = Sandbox(chosen.port, chosen.db)
    port, authority = chosen.port, None
    try:
        sandbox.start()
        if chosen.oauth_port is not None:
            port = chosen.oauth_port
            authority = AuthorisationServer(sandbox, port, chosen.ca_file).start()
    except OSError as error:
        print(f"cannot listen on 127.0.0.1:{port}: {error.strerror}", file=sys.stderr)
        sandbox.stop()
        return 1
    print(
        f"page       {sandbox.url}/\n"
        f"eSputnik   {sandbox.esputnik_url}    any user, API key sandbox-key\n"
        f"SendPulse  {sandbox.sendpulse_url}       id sandbox-id, secret sandbox-secret, API key sandbox-apikey\n"
        f"control    {sandbox.url}/_sandbox\n" + (_about(authority) if authority else "") + "Stop with Ctrl+C.",
        flush=True,
    )
    stopped.wait()
    if authority:
        authority.stop()
    sandbox.stop()
    return 0


def _about(authority: AuthorisationServer) -> str:
    return (
        f"OAuth      {authority.url}       client id {registry.CLIENT_ID}, secret {registry.CLIENT_SECRET}\n"
        f"           {authority.url}/applications registers others; its CA is in {authority.ca_file}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
