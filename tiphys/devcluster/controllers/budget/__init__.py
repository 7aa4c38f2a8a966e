"""Disruption budgets: how many pods may go right now. `arithmetic` is pure, `mind` writes the statuses."""

from __future__ import annotations

from tiphys.devcluster.controllers.budget.mind import room

__all__ = ["room"]
