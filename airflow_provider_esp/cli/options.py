"""The commands and their options, once, for ``python -m airflow_provider_esp`` and for ``airflow esp``.

No option takes a secret: other users of a machine see a process's arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_CONN_ID = ("--conn-id", {"metavar": "ID", "default": "esputnik_default", "help": "the Airflow connection"})


@dataclass(frozen=True)
class Command:
    """One command.

    :param options: (flag, arguments of ``add_argument``).
    """

    help: str
    options: tuple[tuple[str, Mapping[str, Any]], ...]


COMMANDS = {
    "authorize": Command(
        "have a person consent, and store the tokens",
        (
            _CONN_ID,
            ("--yes", {"action": "store_true", "help": "keep the tokens without being asked whose account they open"}),
            ("--open", {"action": "store_true", "help": "open the consent page in this machine's browser"}),
            (
                "--paste",
                {
                    "action": "store_true",
                    "help": "paste the address that the browser ends at, instead of waiting for it here",
                },
            ),
            (
                "--timeout",
                {"type": float, "default": 300.0, "metavar": "SECONDS", "help": "how long to wait for the browser"},
            ),
            (
                "--airflow-url",
                {
                    "metavar": "URL",
                    "help": "store through this Airflow's REST API (login is asked for, or AIRFLOW_API_TOKEN)",
                },
            ),
            (
                "--out",
                {"metavar": "FILE", "help": "store in a file (mode 0600) that the connection's oauth_store names"},
            ),
            ("--client-id", {"metavar": "ID", "help": "the application, where no Airflow is at hand to look it up"}),
            ("--api-url", {"metavar": "URL", "help": "with --client-id: the API's address, if not eSputnik's"}),
            (
                "--auth-server",
                {"metavar": "URL", "help": "with --client-id: the authorisation server, if not eSputnik's"},
            ),
            ("--redirect-uri", {"metavar": "URL", "help": "with --client-id: the registered callback"}),
            ("--token-key", {"metavar": "NAME", "help": "with --client-id: the connection's token_key"}),
            ("--ca-bundle", {"metavar": "FILE", "help": "certificates to trust instead of the usual ones"}),
        ),
    ),
    "status": Command(
        "show which connections are authorised and until when",
        (("--conn-id", {"metavar": "ID", "help": "only this connection"}),),
    ),
    "revoke": Command("forget a connection's tokens", (_CONN_ID,)),
    "state": Command(
        "show, verify or export what a sync remembers, or forget one person in it",
        (
            ("action", {"choices": ("show", "verify", "export", "forget"), "help": "what to do with the state"}),
            ("--state-path", {"required": True, "metavar": "PATH", "help": "the operator's state_path"}),
            ("--out", {"metavar": "FILE", "help": "with export: a file that is not there yet (mode 0600)"}),
        ),
    ),
}


def airflow_commands() -> list[Any]:
    """Return the commands to Airflow versions that load those of providers."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

    run = lazy_load_command("airflow_provider_esp.cli.commands.run_in_airflow")
    return [
        GroupCommand(
            name="esp",
            help="Authorize connections to email services",
            subcommands=[
                ActionCommand(
                    name=name,
                    help=command.help,
                    func=run,
                    args=[Arg(flags=(flag,), **fields) for flag, fields in command.options],
                )
                for name, command in COMMANDS.items()
            ],
        )
    ]
