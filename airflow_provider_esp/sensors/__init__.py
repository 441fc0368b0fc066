"""Sensors: waits for something that another task, or another system, has begun."""
