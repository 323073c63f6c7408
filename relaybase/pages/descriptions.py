"""What the API's pages say about themselves: the docstring of the view."""

import re
from typing import Any, Final

from django.utils.safestring import SafeString, mark_safe
from rest_framework.views import get_view_description

_CODE: Final = re.compile("`([^`]+)`")


def described(view: Any, html: bool = False) -> str | SafeString:
    """As REST framework has it; in `html` what stands between backquotes is code.

    REST framework would need a package for Markdown to say as much.
    """
    text = get_view_description(view, html)
    if not html:
        return text
    return mark_safe(_CODE.sub(r"<code>\1</code>", text))  # noqa: S308  # It is escaped already.
