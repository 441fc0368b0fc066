"""Rows are checked before anything is sent: values, addresses, suppression lists."""
