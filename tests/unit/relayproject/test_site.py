"""The admin's site has a place for each app."""

from django.contrib import admin
from django.contrib.auth.models import User

from relayproject import site


def test_every_app_with_a_page_has_its_place_in_the_order() -> None:
    labels = {model._meta.app_label for model in admin.site._registry}
    assert User._meta.app_label in labels, "the site is registered"
    assert {label for label in labels if label.endswith("_app")} <= set(site._ORDER)
