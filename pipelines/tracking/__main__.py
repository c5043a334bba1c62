"""The command python -m pipelines.tracking: publish what is finished to MLflow."""

from pipelines.core.command import main
from pipelines.tracking.comparison import publish


def command() -> None:
    """Publish, as a command."""
    publish()


if __name__ == "__main__":
    main("tracking", command)
