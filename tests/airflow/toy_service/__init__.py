"""A third service as another package would add it: a dozen calls, a hook, its metadata, and a server to run against.

docs/adding-a-service.md explains it line by line.
"""
