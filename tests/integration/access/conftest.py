"""A user who may do nothing yet, and the permissions that he may get."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission


@pytest.fixture
def clerk(django_user_model: Any) -> Any:
    """May do nothing yet."""
    return django_user_model.objects.create_user("clerk")


def permission(label: str) -> Permission:
    """By the name that the API says it is: `messages_app.view_message`."""
    app, codename = label.split(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)
