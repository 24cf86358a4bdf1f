#!/usr/bin/env bash
# The parser's word vectors, from WordNet 3.0: seconds, no seed, the same file every time. Writes into
# mov_ai/assets/lexicon.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m tools.builders.word_vectors "$@"
