# Everything people type. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROMPT ?= A small red ball rolls to the left, then turns blue, while a large yellow cube spins.
SEED ?= 0
KILLS ?= 20
# Of pytest-xdist: one worker for each core, each about 2 GB.
WORKERS ?= --numprocesses logical --maxprocesses 4 --dist worksteal
NAME ?= peers
SIZE ?= 128
DEVICE ?= auto
DEMO := demo
# Through the environment, so that quotes in a prompt reach the command as they are.
export PROMPT SEED KILLS

.DEFAULT_GOAL := help
.PHONY: help install demo demo-real test test-slow lint format check-tiny check-synonyms check-labels eval check-metrics study train-tiny
.PHONY: bench check-gpu gallery audit fuzz chaos soak check-prepare study-exported train-metrics train-parser evaluate-parser check-wheel docs clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A stamp file, so that a second run does not ask pip again.
$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("mov_ai needs Python 3.10 or newer; set PYTHON=...") if sys.version_info < (3, 10) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,sweep]'
	@touch $@

install: $(VENV)/.installed  ## make .venv and install mov_ai with its development tools

demo: install  ## a video from a sentence: make demo PROMPT="..." SEED=0
	@rm -rf $(DEMO)
	$(BIN)/mov-ai generate "$$PROMPT" --seed "$$SEED" --out $(DEMO) --boxes

demo-real: install  ## fifteen real videos, from a folder to a pipeline: MOV_AI_DATA=DIR make demo-real [SIZE=64] (an hour)
	@test -n "$$MOV_AI_DATA" || { echo "set MOV_AI_DATA to a folder with real_clips and taef2" >&2; exit 2; }
	$(BIN)/python -m studies.real_clips.study --data "$$MOV_AI_DATA" --size $(SIZE)

# Tests start other processes, and each would compile our modules again if no bytecode were kept.
test: install  ## the tests, one process a core: 10 to 20 minutes on two
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest $(WORKERS)

test-slow: install  ## the tests that take long: several processes that train together
	$(BIN)/python -m pytest -m slow

lint: install  ## format, lint and type checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: install  ## put the sources into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.documents: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@touch $@

docs: $(VENV)/.documents  ## the pages of docs/ and the API reference, from the docstrings; links are checked
	$(BIN)/mkdocs build --strict

check-wheel: install  ## build the wheel and run every command from it, outside the checkout
	$(BIN)/python tools/check_wheel.py

check-tiny: install  ## how good the embedded weights are: prints the table of the card
	$(BIN)/python -m studies.check.tiny --out experiments/tiny/check.json

check-prepare: install  ## is any of 10,000 clips lost or doubled when their preparing is killed: a quarter of an hour
	$(BIN)/python -m tools.many_clips

fuzz: install  ## 10,000 damaged inputs: is each refused in one line or read as it is meant (20 minutes): make fuzz [SEED=0]
	$(BIN)/python -m tools.fuzz --cases 10000 --seed "$$SEED"

audit: install  ## known weaknesses of the pinned versions; needs the network, and fails if one cannot be asked about
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

chaos: install  ## 20 kills of each command that trains or writes: is anything lost (hours on a CPU): make chaos [SEED=0] [KILLS=20]
	$(BIN)/python -m tools.chaos --kills "$$KILLS" --seed "$$SEED"

soak: install  ## 1,000 requests in one process, and eval on small files that unpack to gigabytes: does memory grow
	$(BIN)/python -m tools.chaos.soak --seed "$$SEED"
	$(BIN)/python -m tools.chaos.large_videos

check-synonyms: install  ## are words that training never said drawn as their kin
	$(BIN)/python -m studies.check.synonyms --out experiments/labels/synonyms.json

check-labels: install  ## is a label nearer to its kin than to the rest of its class
	$(BIN)/python -m studies.check.labels

gallery: install  ## eight sentences that no training has seen, with graph, boxes and video: experiments/gallery
	$(BIN)/python -m studies.gallery

eval: install  ## how good a checkpoint is: make eval [suite=long] [EVAL="checkpoint=DIR eval.num_videos=512"]
	$(BIN)/python -m mov_ai.evaluate suite=$(or $(suite),video) $(EVAL)

check-metrics: install  ## can the figures be trusted: metrics on damaged videos, the checker on real and on wrong clips
	$(BIN)/python -m tools.metrics.behaviour --out experiments/metrics/behaviour.json
	$(BIN)/python -m tools.benchmark.validate --parser --out experiments/metrics/benchmark.json

check-gpu: install  ## does everything work on this machine's GPU, how exactly and how fast (8 minutes; nothing begins after 6): experiments/gpu
	$(BIN)/python -m tools.check_gpu --device "$(DEVICE)" --minutes 6 --out experiments/gpu/check.json

bench: install  ## how fast it is here, beside transformers of diffusers: benchmarks/, and a table in the README (6 minutes)
	$(BIN)/python -m tools.bench --device "$(DEVICE)"

study: install  ## train and compare the peers under one harness (hours): make study NAME=peers, or NAME=peers/unet3d
	$(BIN)/python -m studies.peers.study $(NAME)

.PHONY: study-graph study-paper study-temporal
study-graph: install  ## what a graph brings beside text (hours, in pieces): make study-graph [STUDY="--quick --minutes 60"]
	$(BIN)/python -m studies.graph_vs_text.study $(STUDY)

study-paper: install  ## the loss's weights, modules apart and joined, 256 against 512 (hours, in pieces)
	$(BIN)/python -m studies.paper_claims.study $(STUDY)

study-temporal: install  ## layers or blocks over time around a frozen image model, or TSAM (under two hours, in pieces)
	$(BIN)/python -m studies.temporal_parts $(STUDY)

study-exported: install  ## is a training on MP4s as good as one on what was rendered (a quarter of an hour)
	$(BIN)/python -m studies.exported_clips.study

train-parser: install  ## train the embedded spaCy pipeline, word vectors and scene-graph parser again (hours)
	for name in spacy_pipeline word_vectors parser; do recipes/$$name.sh || exit; done

evaluate-parser: install  ## the parser on FACTUAL, temporal sentences and timelines: prints the tables of its card
	$(BIN)/python -m studies.parser.measure

train-tiny: install  ## train the other embedded weights again, one network after another (hours)
	for name in label_meanings codec planner checker denoiser refiner interpolation; do recipes/$$name.sh || exit; done

train-metrics: install  ## train the networks that make eval measures with again (over an hour)
	for name in recognition text_video; do recipes/$$name.sh || exit; done

clean:  ## remove what the targets made, except .venv
	rm -rf $(DEMO) outputs runs multirun cache site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
