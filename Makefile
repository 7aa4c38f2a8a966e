# Thin twins of dev.py, for fingers that know make. Where make is missing: python3 dev.py demo
PYTHON ?= python3

SEEDS ?= 1000

.PHONY: demo test check fix soak mutants bench
demo test check fix:
	@$(PYTHON) dev.py $@
soak:  # thousands of simulated runs, then of Rollouts: make soak SEEDS=20000
	@$(PYTHON) dev.py soak --seeds $(SEEDS)
bench:  # every scenario in its short form, into bench/results/DATE; some minutes
	@$(PYTHON) dev.py bench all
mutants:  # does the simulator find twelve named bugs?
	@$(PYTHON) dev.py mutants
