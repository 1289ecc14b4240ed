"""The words of a greeting."""


def hello(name: str) -> str:
    """Greets by name."""
    return f"Hello from a snapshot, {name}!"
