#!/usr/bin/env bash
# What words mean to the networks that make videos, from WordNet 3.0; no training. Writes into mov_ai/assets/labels.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

python -m tools.builders.meanings "$@"
