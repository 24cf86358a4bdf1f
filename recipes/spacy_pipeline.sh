#!/usr/bin/env bash
# The English pipeline that the parser reads with, from UD English-EWT: 5,500 updates (tools/builders/spacy_pipeline.cfg), 23 minutes on
# one core, the same weights every time. Writes into mov_ai/assets/spacy_ewt.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m tools.builders.spacy_pipeline "$@"
