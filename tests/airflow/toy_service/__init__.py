"""A third service as another package would add it: docs/adding-a-service.md explains it."""


def get_provider_info() -> dict[str, object]:
    hook = {"connection-type": "toy", "hook-class-name": "toy_service.hook.ToyHook", "hook-name": "Toy"}
    return {"package-name": "airflow-provider-toy", "name": "Toy", "description": "A toy.", "connection-types": [hook]}
