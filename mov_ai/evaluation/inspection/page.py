"""Pages of an inspection, from the templates beside this file: no scripts, nothing from elsewhere, all text escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mov_ai.evaluation.report.wording import number, percent, plain


def page(template: str, **values: Any) -> bytes:
    """A template with its values, UTF-8."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=lambda value: plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.filters |= {"number": number, "percent": percent}
    return environment.get_template(template).render(**values).encode("utf-8")
