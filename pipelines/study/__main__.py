"""The command python -m pipelines.study [FILE]."""

from pipelines.core.command import main
from pipelines.study.command import study

if __name__ == "__main__":
    main("study", study, file=True)
