"""`mov_ai.evaluate` with the peers known, so that it can load their checkpoints."""

import studies.peers  # noqa: F401
from mov_ai.evaluate import main

if __name__ == "__main__":
    main()
