"""What every part of the configuration is: a map whose keys are all named."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A map whose keys are all named here; numbers and flags may be written as text, as ConfigMaps do."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)
