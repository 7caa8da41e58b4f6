# Two commands do everything: `make serve` and `make test`. The rest is for those who work on Convolu.
HOST ?= 127.0.0.1
PORT ?= 8000
PYTHON ?= python3
DATA ?= $(CONVOLU_DATA)

PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes

serve: .venv/serve
	@CONVOLU_DEFAULT_MODEL=$${CONVOLU_DEFAULT_MODEL-imagenet-lite0} \
	.venv/bin/python -m app serve --host $(HOST) --port $(PORT)

test: .venv/test check
	.venv/bin/python -m pytest

check: .venv/test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/python -m pytest -q tests/test_imports.py

# Makes every file in models/ again: hours on two cores. DATA=folder with mnist.npz, cifar10.npz, fashion-mnist.npz
# and cats-dogs/ in it (docs/training.md, "The named sets"). Without DATA they are downloaded, but for cats and dogs.
models: .venv/test
	.venv/bin/python -m training build imagenet-lite0 cats-dogs cats-dogs-lite0 cifar10 cifar10-simple fashion-mnist mnist-1conv mnist-2conv $(if $(DATA),--data $(DATA))
	.venv/bin/python -m training readme

# Half an hour on two cores. Rivals live in environments of their own; wrk drives them all.
bench: .venv/test .venv-peers/tutorial/installed .venv-peers/litserve/installed .venv-peers/triton/installed
	@command -v wrk > /dev/null || { echo "The servers are driven with wrk: apt-get install wrk"; exit 1; }
	.venv/bin/python -m benchmarks.stages
	.venv/bin/python -m benchmarks.service

.venv-peers/%/installed: benchmarks/peers/%.txt
	@echo "Installing a rival into $(@D) …"
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Each environment file is a promise that what it names is installed.
.venv/serve: requirements/serve.txt | .venv
	@echo "Installing what serving needs into .venv …"
	@$(PIP) -r $<
	@touch $@

.venv/test: requirements/test.txt pyproject.toml | .venv
	@echo "Installing what serving, training and tests need into .venv: about 2 GB …"
	@$(PIP) -r $<
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@ .venv/serve

.venv:
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Convolu needs Python 3.11 or newer with venv: apt-get install python3-venv"; exit 1; }

# Exact versions with hashes for Python 3.11 to 3.14 on x86-64 and arm64; serve.txt is a part of test.txt.
# serve.cdx.json says the same as serve.txt to scanners, as a CycloneDX bill of materials.
lock:
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv cyclonedx-bom
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	  --extra train --extra test --extra bench --output-file requirements/test.txt pyproject.toml
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	  --constraint requirements/test.txt --output-file requirements/serve.txt pyproject.toml
	.venv-lock/bin/cyclonedx-py requirements --output-reproducible --pyproject pyproject.toml \
	  --output-file requirements/serve.cdx.json requirements/serve.txt
	sed -i 's#"url": "https:[^"]*/\(simple\|project\)/\([^"/]*\)/"#"url": "pkg:pypi/\2"#' requirements/serve.cdx.json  # files are told by their hashes, wherever they lie
	for peer in tutorial litserve triton keras-tensorflow keras-torch; do \
	  .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    --output-file benchmarks/peers/$$peer.txt benchmarks/peers/$$peer.in || exit 1; done
	rm -r .venv-lock

# The pictures of the page in docs/pictures; needs Chromium.
screenshots: .venv/test
	.venv/bin/python -m tests.web.screenshots

clean:
	rm -rf .venv .venv-peers build *.egg-info

.PHONY: serve test check models bench lock screenshots clean
