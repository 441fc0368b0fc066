"""What the commands do: find the connection, carry it out, and say in plain words how it went.

Neither tokens nor codes nor secrets are ever printed. A secret that is missing is asked for without echo, or taken
from the environment variable ESP_CLIENT_SECRET.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_esp.cli import authorize
from airflow_provider_esp.cli.callback import CallbackServer
from airflow_provider_esp.cli.options import COMMANDS
from airflow_provider_esp.connections import EsputnikSettings, parse
from airflow_provider_esp.core.auth import oauth
from airflow_provider_esp.core.auth.token_set import TokenSet, command, slot_name
from airflow_provider_esp.core.auth.token_store import FileTokens
from airflow_provider_esp.exceptions import ConnectionInvalid, EspError, StoreUnusable, TaskError, TokenError
from airflow_provider_esp.hooks.credentials import application

if TYPE_CHECKING:
    from airflow_provider_esp.cli.rest import AirflowApi
    from airflow_provider_esp.connections.oauth import OAuthSettings

_HIDDEN = "***"
_ABOUT = "OAuth 2.0 for connections, and the state of syncs."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m airflow_provider_esp``.

    :returns: the process's exit code: 0, or 1 after a sentence on standard error.
    """
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_esp", description=_ABOUT)
    kinds = parser.add_subparsers(dest="command", required=True)
    for name, given in COMMANDS.items():
        one = kinds.add_parser(name, help=given.help, description=f"{given.help[0].upper()}{given.help[1:]}.")
        for flag, fields in given.options:
            one.add_argument(flag, **fields)
    chosen = parser.parse_args(arguments)
    return _run(chosen.command, chosen)


def run_in_airflow(chosen: argparse.Namespace) -> None:
    """Run ``airflow esp``, where Airflow has read the arguments."""
    code = _run(chosen.subcommand, chosen)
    if code:
        raise SystemExit(code)


def _run(name: str, chosen: argparse.Namespace) -> int:
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    try:
        {"authorize": _authorize, "status": _status, "revoke": _revoke, "state": _run_state}[name](chosen)
    except (EspError, ConnectionInvalid, TaskError) as error:
        return _failed(str(error))
    except AirflowNotFoundException:
        return _failed(f"There is no connection {chosen.conn_id!r} here. Make it, or see --airflow-url and --out.")
    except KeyboardInterrupt:
        return _failed("Stopped; nothing was stored.")
    except OSError as error:
        return _failed(f"{error.strerror or type(error).__name__}: is the callback's port free?")
    return 0


def _run_state(chosen: argparse.Namespace) -> None:
    from airflow_provider_esp.cli import state

    state.run(chosen)


def _failed(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


@dataclass(frozen=True)
class _Target:
    """A connection, as far as a command needs it."""

    conn_id: str
    settings: EsputnikSettings
    oauth: OAuthSettings


# -- authorize


def _authorize(chosen: argparse.Namespace) -> None:
    api = _api(chosen) if chosen.airflow_url else None
    target = _target(chosen, api)
    app = application(target.oauth, target.settings.ca_bundle)
    served = CallbackServer.can_serve(app.redirect_uri) and not chosen.paste
    answer = authorize.ask_for_code(
        app, lambda url: _show(url, chosen.open), _note, None if served else _ask_for_address, chosen.timeout
    )
    grant = oauth.exchange_code(app, answer.code, verifier=answer.verifier)
    version, owner = authorize.prove(target.settings, grant)
    print(f"The token works: version {version} of the API answered.")
    _confirm(owner, yes=chosen.yes)
    print(f"Connection {target.conn_id!r} is authorised. The tokens are in {_store(chosen, api, target, grant)}.")
    print(f"They are renewed by every use. {_ends('Unused, they end', grant.refresh_expires_at)}")


def _show(url: str, in_browser: bool) -> None:
    print(f"Open this address, log in and allow access:\n\n  {url}\n", flush=True)
    if in_browser:
        import webbrowser

        webbrowser.open(authorize.private_redirect(url))


def _confirm(owner: str, *, yes: bool) -> None:
    """Ask a person whether these are the tokens of the account that they mean.

    :param owner: the organisation's name.
    :param yes: whether to keep the tokens without asking.
    :raises TokenError: the answer is no, or nobody is there to give one.
    """
    print(f"You are connecting {owner!r}.", flush=True)
    if yes:
        return
    try:
        answer = input("Keep these tokens? [y/N] ")
    except EOFError:
        raise TokenError(
            "nothing was stored: there is no terminal to confirm on", advice="Say --yes to keep the tokens."
        ) from None
    if answer.strip().lower() not in ("y", "yes"):
        raise TokenError(
            "nothing was stored", advice="Log out of the other account in your browser before you try again."
        )


def _note(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _ask_for_address() -> str:
    # Without echo: the address holds the code.
    return getpass.getpass("Then paste the address that the browser ended at (it is not shown): ")


def _store(chosen: argparse.Namespace, api: AirflowApi | None, target: _Target, grant: TokenSet) -> str:
    if chosen.out:
        store = FileTokens(os.path.abspath(chosen.out), target.oauth.client_secret)
        authorize.keep(store, grant)
        return f"{store.title}; put it where the connection's oauth_store says"
    if api is not None:
        if target.oauth.oauth_store != "variable":
            raise StoreUnusable(
                "through the REST API tokens can only be kept in a Variable: empty oauth_store, or use --out"
            )
        name = slot_name(target.oauth.token_url, target.oauth.client_id, target.oauth.token_key)
        api.save(name, grant)
        api.remember(target.conn_id)
        return f"the Airflow Variable {name}"
    from airflow_provider_esp.stores.tokens import remember, token_store

    kept = token_store(target.oauth, target.conn_id)
    authorize.keep(kept, grant)
    remember(target.conn_id)
    return kept.title


# -- status and revoke


def _status(chosen: argparse.Namespace) -> None:
    names = [chosen.conn_id] if chosen.conn_id else _known_connections()
    if not names:
        print("No connection of this provider uses OAuth.")
    for name in names:
        print(_described(name))


def _described(conn_id: str) -> str:
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_provider_esp.stores.tokens import token_store

    try:
        target = _from_airflow(conn_id)
        grant = token_store(target.oauth, conn_id).load()
    except AirflowNotFoundException:
        return f"{conn_id}\n  there is no such connection here\n"
    except (EspError, ConnectionInvalid) as error:
        return f"{conn_id}\n  {error}\n"
    if grant is None:
        return f"{conn_id}\n  not authorised; run: {command(conn_id)}\n"
    return (
        f"{conn_id}\n"
        f"  authorised       {'yes' if grant.refresh_expires_at > time.time() else 'no longer; ' + command(conn_id)}\n"
        f"  right            {target.oauth.right}\n"
        f"  kept in          {token_store(target.oauth, conn_id).title}\n"
        f"  access token     {_ends('ends', grant.expires_at)}\n"
        f"  refresh token    {_ends('ends', grant.refresh_expires_at)}\n"
    )


def _ends(verb: str, at: float) -> str:
    left = at - time.time()
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if left <= 0:
        return f"ended {when}"
    return f"{verb} {when} (in {left / 86400:.1f} days)"


def _known_connections() -> list[str]:
    """Return the connections that were authorised, and those with an application that Airflow has here."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    from airflow_provider_esp.stores.tokens import authorised_connections

    names = set(authorised_connections())
    with create_session() as session:
        found = session.query(Connection.conn_id).filter(Connection.conn_type == "esputnik").all()
    names.update(conn_id for (conn_id,) in found if _uses_oauth(conn_id))
    prefix = "AIRFLOW_CONN_"
    named = {name.removeprefix(prefix).lower() for name in os.environ if name.startswith(prefix)}
    names.update(conn_id for conn_id in named if _uses_oauth(conn_id))
    return sorted(names)


def _uses_oauth(conn_id: str) -> bool:
    from airflow_provider_esp.stores import airflow_variables

    found = airflow_variables.connection(conn_id)
    return found.conn_type == "esputnik" and bool(found.extra_dejson.get("client_id"))


def _revoke(chosen: argparse.Namespace) -> None:
    from airflow_provider_esp.stores.tokens import dismiss, token_store

    target = _from_airflow(chosen.conn_id)
    store = token_store(target.oauth, chosen.conn_id)
    store.forget()
    dismiss(chosen.conn_id)
    print(
        f"The tokens of {chosen.conn_id!r} are forgotten: nothing is in {store.title} any more. The service documents "
        "no way to end them: disconnect the application in the account's settings (connected applications)."
    )


# -- connections


def _target(chosen: argparse.Namespace, api: AirflowApi | None) -> _Target:
    if chosen.client_id:
        extra = {
            "client_id": chosen.client_id,
            "client_secret": _secret(),
            "auth_server": chosen.auth_server,
            "redirect_uri": chosen.redirect_uri,
            "token_key": chosen.token_key,
            "ca_bundle": chosen.ca_bundle,
        }
        if not (chosen.out or api):
            raise StoreUnusable("with --client-id, say where the tokens go: --out or --airflow-url")
        return _checked(chosen.conn_id, {"conn_type": "esputnik", "host": chosen.api_url, "extra": extra})
    if api is None:
        return _from_airflow(chosen.conn_id, chosen.ca_bundle)
    fields = api.connection(chosen.conn_id)
    extra = parsed_extra(fields.get("extra")) | {"client_secret": _secret(), "ca_bundle": chosen.ca_bundle}
    # What Airflow hides comes as asterisks; of these, only the client's secret is needed, and was asked for.
    extra = {name: value for name, value in extra.items() if value != _HIDDEN}
    return _checked(chosen.conn_id, {**fields, "password": None, "extra": extra})


def parsed_extra(extra: Any) -> dict[str, Any]:
    """Return a connection's extra as a mapping, from either form that Airflow's API has."""
    import json

    if isinstance(extra, str):
        extra = json.loads(extra or "{}")
    return dict(extra or {})


def _from_airflow(conn_id: str, ca_bundle: str | None = None) -> _Target:
    from airflow_provider_esp.stores import airflow_variables

    found = airflow_variables.connection(conn_id)
    extra = parsed_extra(found.extra)
    if ca_bundle:
        extra["ca_bundle"] = ca_bundle
    names = ("conn_type", "login", "password", "host", "schema", "port")
    return _checked(conn_id, {**{name: getattr(found, name) for name in names}, "extra": extra})


def _checked(conn_id: str, fields: dict[str, Any]) -> _Target:
    if (fields.get("conn_type") or fields.get("connection_type")) != "esputnik":
        raise TokenError(f"connection {conn_id!r} is not of type esputnik, which is the one that uses OAuth")
    names = ("login", "password", "host", "schema", "port", "extra")
    settings = parse("esputnik", **{name: fields.get(name) for name in names})
    if not isinstance(settings, EsputnikSettings) or settings.oauth is None:
        raise TokenError(
            f"connection {conn_id!r} names no application",
            advice="Fill in the fields client_id and client_secret of the connection.",
        )
    return _Target(conn_id, settings, settings.oauth)


def _secret() -> str:
    return os.environ.get("ESP_CLIENT_SECRET") or getpass.getpass("Client secret (it is not shown): ")


def _api(chosen: argparse.Namespace) -> AirflowApi:
    from airflow_provider_esp.cli.rest import AirflowApi

    token = os.environ.get("AIRFLOW_API_TOKEN")
    login = None
    if token is None:
        user = os.environ.get("AIRFLOW_API_USER") or input("Airflow user: ")
        login = (
            user,
            os.environ.get("AIRFLOW_API_PASSWORD") or getpass.getpass("Airflow password (it is not shown): "),
        )
    return AirflowApi(chosen.airflow_url, token=token, login=login, ca_bundle=chosen.ca_bundle)
