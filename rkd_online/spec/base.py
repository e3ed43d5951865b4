"""The one base of all spec models: unknown keys are errors and nothing changes after loading."""

from pydantic import BaseModel, ConfigDict


class SpecModel(BaseModel):
    """Frozen, with unknown keys forbidden and field docstrings as descriptions."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )
