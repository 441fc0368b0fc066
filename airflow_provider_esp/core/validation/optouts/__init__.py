"""Opt-out lists: every address, number and id that they can mean."""
