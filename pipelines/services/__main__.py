"""The command python -m pipelines.services up|down|servers."""

import sys

from pipelines.services.command import main

if __name__ == "__main__":
    sys.exit(main())
