"""Service endpoints: who answers behind a service. `backends` and `manifests` are pure, `mind` writes them."""

from __future__ import annotations

from tiphys.devcluster.controllers.endpoints.mind import room

__all__ = ["room"]
