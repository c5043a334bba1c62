"""The command python -m pipelines.advise --tolerance POINTS."""

import sys

from pipelines.advise.command import advise
from pipelines.core.command import main

if __name__ == "__main__":
    main("advise", lambda *_: advise(sys.argv[1:]), file=True)
