# The front door. No logic here: every target is one call into tools/.
.DEFAULT_GOAL := help
.PHONY: help setup fix check test demo bench year ci lock

help: ## show this list
	@tools/help
setup: ## fill .venv/ from the hashed requirement files
	@tools/setup dev
fix: ## format, and repair what the linter can repair
	@tools/fix
check: ## format, lint, types, import rules
	@tools/check
test: ## every test that this machine allows (T=path or T="-k name" for some)
	@tools/test
demo: ## collector, simulated hosts, audited sites; serves until Ctrl-C (ONCE=1: ends by itself)
	@tools/demo
bench: ## what a report costs, in units of one signature verification
	@tools/bench
year: ## generated years of 10,000 chips, honest and with every diversion (SEEDS=20)
	@tools/year
ci: ## what the build server runs: check, then test
	@tools/ci
lock: ## write requirements/ anew from pyproject.toml
	@tools/lock
