"""Assets that DAGs can be scheduled on."""

from airflow_provider_esp.assets.esp import asset_uri, create_asset

__all__ = ["asset_uri", "create_asset"]
