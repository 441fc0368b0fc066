"""The services this sandbox plays, in the order people see them."""

from __future__ import annotations

from .esputnik import ESPUTNIK
from .oauth import UAA
from .routing import Service
from .sendpulse import SENDPULSE

SERVICES: tuple[Service, ...] = (ESPUTNIK, UAA, SENDPULSE)
