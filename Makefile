# Thin twins of dev.py, for fingers that know make. Where make is missing: python3 dev.py demo
PYTHON ?= python3

.PHONY: demo test check fix
demo test check fix:
	@$(PYTHON) dev.py $@
