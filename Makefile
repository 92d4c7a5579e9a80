# All that is done by hand or by CI in this repository. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-down test check lint format docs bench bench-import bench-fleet bench-wipe corpus clean
export PYTHON CONNECT

bin := .venv/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## what is missing to use and develop Vireo: Debian packages, .venv with .venv/bin/vireo (PYTHON=... names the interpreter)
	@scripts/setup.sh

demo: setup ## the main job on a real guest in a private libvirt host: validate, plan, apply, plan again, status (CONNECT=URI: on that host)
	@scripts/demo.sh up

demo-down: ## the end of the demo: its guest, its host and all it made
	@scripts/demo.sh down

test: setup ## all tests: unit, golden, properties, test driver, real libvirt with QEMU guests (TESTS=... names some)
	@scripts/test.sh $(TESTS)

check: lint ## the quick part: lint, types, import contracts, all tests but the slow ones and those on real hosts
	$(bin)/python -m pytest --numprocesses auto -m 'not qemu and not slow'

lint: setup ## ruff, mypy, import contracts
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports

format: setup ## format the code and mend what ruff can
	$(bin)/ruff check --fix .
	$(bin)/ruff format .

docs: setup ## docs/manifests.md and docs/changes.md anew, from schemas and tables
	$(bin)/python docs/generate.py

corpus: setup ## how faithful import and redefinition are, on all generated definitions; `make test` takes a part (CORPUS=N: of domains)
	CORPUS=$(or $(CORPUS),2400) $(bin)/python -m pytest --numprocesses auto --dist worksteal tests/qemu/test_corpus.py

bench: setup ## an unchanged plan of 1,000 domains beside the raw libvirt calls (N=..., CONNECT=URI)
	$(bin)/python benchmarks/plan_unchanged.py $(if $(N),--domains $(N)) $(if $(CONNECT),--connect '$(CONNECT)')

bench-import: setup ## 200 foreign domains imported, adopted and planned beside the raw libvirt calls (N=..., CONNECT=URI; else root)
	$(bin)/python benchmarks/import_foreign.py $(if $(N),--domains $(N)) $(if $(CONNECT),--connect '$(CONNECT)')

bench-fleet: setup ## a plan over 50 hosts beside each of them alone, and with one that hangs (N=..., THROUGH=socket of a libvirtd)
	$(bin)/python benchmarks/fleet.py $(if $(N),--hosts $(N)) $(if $(THROUGH),--through '$(THROUGH)')

bench-wipe: setup ## 1 GiB wiped and read back beside dd of zeros to the same file system (needs root)
	$(bin)/python benchmarks/wipe.py

clean: ## remove .venv, caches and build results
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
