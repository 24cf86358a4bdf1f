"""The study as a command."""

import sys

from studies.temporal_parts.study import main

if __name__ == "__main__":
    sys.exit(main())
