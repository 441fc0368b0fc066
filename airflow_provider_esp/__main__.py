"""``python -m airflow_provider_esp authorize|status|revoke|state``: OAuth 2.0 for connections, and syncs' state."""

from __future__ import annotations

import sys

from airflow_provider_esp.cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
