"""HTML pages that need nothing else, made from the templates of this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: Any) -> str:
    """Return the page that `template` makes of `values`; all text is escaped, a name that is missing is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # 30 ms, which every command would take

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
