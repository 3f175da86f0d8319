"""HTML pages that need nothing else, made from a template beside the module that asks and the style they share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_STYLE = Path(__file__).with_name("pages.css")


def render(template: Path, **values: Any) -> str:
    """Return the page that `template` makes of `values`; all text is escaped, a name that is missing is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # 30 ms, which every command would take

    environment = Environment(
        loader=FileSystemLoader([template.parent, _STYLE.parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(**values)
