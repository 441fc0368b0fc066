"""The routes by which a person connects an account, reconnects it, and forgets its tokens."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, HTTPException, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from airflow_provider_esp.cli.authorize import keep, prove
from airflow_provider_esp.core.auth.oauth import authorize_url, exchange_code
from airflow_provider_esp.core.auth.token_set import grant_from_json
from airflow_provider_esp.exceptions import EspError, headline
from airflow_provider_esp.plugins.page import consent
from airflow_provider_esp.plugins.page.access import Caller, Person, audit, own_request
from airflow_provider_esp.plugins.page.consent import ASKED, PENDING, ConsentRefused
from airflow_provider_esp.stores.tokens import dismiss, remember, token_store

router = APIRouter(prefix="/oauth")
_log = logging.getLogger(__name__)

Answered = Annotated[str, Query(max_length=4000)]
Given = Annotated[str, Body(embed=True, max_length=250)]


def base_url(request: Request) -> str:
    """Return Airflow's address as browsers know it, without a slash at its end."""
    from airflow.providers.common.compat.sdk import conf

    told = conf.get("api", "base_url", fallback="") or ""
    return (told or str(request.base_url).removesuffix("/").removesuffix(request.app.state.prefix)).rstrip("/")


def callback_address(request: Request) -> str:
    """Return the one address that an application is registered with."""
    return f"{base_url(request)}{request.app.state.prefix}/oauth/callback"


@router.post("/start", dependencies=[Depends(own_request)])
def start(person: Caller, request: Request, conn_id: Given) -> Response:
    """Begin: give the address of the consent page, and remember the question in the person's browser."""
    _check_right(person, conn_id)
    try:
        _, _, app = consent.target(conn_id, callback_address(request))
        kept = consent.new_question(conn_id, person.id)
        answer = JSONResponse({"url": authorize_url(app, kept["state"], kept["verifier"])})
        _put(answer, request, ASKED, consent.sealed(kept))
    except ConsentRefused as refused:
        raise HTTPException(409, str(refused)) from None
    audit(person, "esp_oauth_start", extra=conn_id)
    return answer


@router.get("/callback")
def callback(
    person: Caller, request: Request, *, code: Answered = "", state: Answered = "", error: Answered = ""
) -> Response:
    """Take the service's answer, and lead to the page, which asks whether the account is the one that is meant.

    What the service says in ``error`` is not shown: anybody can write it into a link.
    """
    try:
        kept = consent.opened(ASKED, request.cookies, person.id)
        consent.check_state(kept, state)
        if error or not code:
            raise ConsentRefused("The service gave no code.", "denied" if error == "access_denied" else "failed")
        if not person.may_edit_connection(kept["conn_id"]):
            raise ConsentRefused("The right to edit the connection is gone.", "right")
        settings, _, app = consent.target(kept["conn_id"], callback_address(request))
        grant = exchange_code(app, code, verifier=kept["verifier"])
        _, owner = prove(settings, grant)
        found = {**kept, "what": PENDING, "owner": owner, "tokens": grant.to_json()}
        answer = _to_page(request, "confirm")
        _put(answer, request, PENDING, consent.sealed(found))
    except ConsentRefused as refused:
        answer = _to_page(request, refused.word)
    except EspError as failed:
        _log.warning("An account could not be connected: %s", headline(failed))
        answer = _to_page(request, "failed")
    _drop(answer, request, ASKED)
    return answer


@router.get("/pending")
def pending(person: Caller, request: Request) -> dict[str, Any]:
    """Say whose account waits to be kept, for which connection; empty where none does."""
    try:
        kept = consent.opened(PENDING, request.cookies, person.id)
    except ConsentRefused:
        return {}
    return {"conn_id": kept["conn_id"], "owner": kept["owner"]}


@router.post("/keep", dependencies=[Depends(own_request)])
def keep_tokens(person: Caller, request: Request, wanted: Annotated[bool, Body(embed=True)]) -> Response:
    """Keep the tokens that wait, or throw them away."""
    try:
        kept = consent.opened(PENDING, request.cookies, person.id)
        conn_id = kept["conn_id"]
        _check_right(person, conn_id)
        if wanted:
            _, oauth, _ = consent.target(conn_id, callback_address(request))
            keep(token_store(oauth, conn_id), grant_from_json(kept["tokens"], "the cookie"))
            remember(conn_id)
    except ConsentRefused as refused:
        raise HTTPException(409, str(refused)) from None
    except EspError as failed:
        raise HTTPException(409, headline(failed)) from None
    audit(person, "esp_oauth_connect" if wanted else "esp_oauth_discard", extra=conn_id)
    answer = JSONResponse({"conn_id": conn_id, "kept": wanted})
    _drop(answer, request, PENDING)
    return answer


@router.post("/forget", dependencies=[Depends(own_request)])
def forget(person: Caller, request: Request, conn_id: Given) -> dict[str, Any]:
    """Forget the tokens of a connection; the service documents no way to end them."""
    _check_right(person, conn_id)
    try:
        _, oauth, _ = consent.target(conn_id, callback_address(request))
        token_store(oauth, conn_id).forget()
        dismiss(conn_id)
    except ConsentRefused as refused:
        raise HTTPException(409, str(refused)) from None
    except EspError as failed:
        raise HTTPException(409, headline(failed)) from None
    audit(person, "esp_oauth_forget", extra=conn_id)
    return {"conn_id": conn_id}


def _check_right(person: Person, conn_id: str) -> None:
    if not person.may_edit_connection(conn_id):
        raise HTTPException(403, "You need the right to edit this connection")


def _to_page(request: Request, word: str) -> Response:
    return RedirectResponse(f"{base_url(request)}/plugin/esp?view=accounts&oauth={word}", 303)


def _cookie(request: Request) -> dict[str, Any]:
    from urllib.parse import urlsplit

    path = urlsplit(base_url(request)).path.rstrip("/")
    return {"path": f"{path}{request.app.state.prefix}/oauth", "secure": True, "httponly": True, "samesite": "lax"}


def _put(answer: Response, request: Request, name: str, pieces: list[str]) -> None:
    _drop(answer, request, name)
    for number, piece in enumerate(pieces):
        answer.set_cookie(f"{name}_{number}", piece, max_age=consent.GOOD_FOR, **_cookie(request))


def _drop(answer: Response, request: Request, name: str) -> None:
    for cookie in request.cookies:
        if cookie.startswith(f"{name}_"):
            answer.delete_cookie(cookie, **_cookie(request))
