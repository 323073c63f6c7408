"""Who was given which permissions, and who had them taken: on record, by whichever way it was done.

Django has no one place for it: its admin and commands change the tables by the same few methods, whose
signals are heard here. What is changed by SQL or `QuerySet.update` counts as well, but is not on record.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.db.models.signals import m2m_changed, pre_delete, pre_save

from access_app import audit

PLAIN: Final[Mapping[str, bool]] = {"is_active": True, "is_staff": False, "is_superuser": False}
"""What a user is as long as nobody has made more or less of him. One that is new is compared with this."""

_VERBS: Final = {"post_add": "given", "post_remove": "taken", "pre_clear": "taken"}


def watch() -> None:
    """From now on. Called once the models are there."""
    user: Any = get_user_model()
    for of in (user.user_permissions, user.groups, Group.permissions):
        m2m_changed.connect(_changed, sender=of.through, dispatch_uid=f"rights of {of.through.__name__}")
    pre_save.connect(_saved, sender=user, dispatch_uid="rights of a user")
    pre_delete.connect(_deleted, sender=Group, dispatch_uid="rights by a group")


def _changed(instance: Model, action: str, reverse: bool, model: Any, pk_set: Any, **_: Any) -> None:
    """`instance` and rows of `model` come together or part; without `pk_set` all that it has."""
    verb = _VERBS.get(action)
    if verb is None:
        return
    rows = model.objects.filter(pk__in=pk_set) if pk_set is not None else _all(instance, model)
    names = sorted(map(_name, rows))
    if reverse:
        audit.record(f"rights {verb}", names, rights=[_name(instance)])
    elif names:
        audit.record(f"rights {verb}", [_name(instance)], rights=names)


def _saved(instance: Any, raw: bool, update_fields: Iterable[str] | None, **_: Any) -> None:
    """A user is saved, and may have become another one than he was, or than a plain one if he is new."""
    if raw or (update_fields is not None and not set(PLAIN) & set(update_fields)):
        return
    before = type(instance).objects.filter(pk=instance.pk).values(*PLAIN).first() or PLAIN
    changed = {
        flag: getattr(instance, flag) for flag, was in before.items() if getattr(instance, flag) != was
    }
    if changed:
        audit.record("user changed", [_name(instance)], **changed)


def _deleted(instance: Group, **_: Any) -> None:
    """A group is about to go, which says nothing of the users that it takes its rights from."""
    audit.record("rights taken", sorted(map(_name, instance.user_set.all())), rights=[_name(instance)])


def _all(instance: Any, model: type[Model]) -> Iterable[Any]:
    relations = {Permission: ("user_permissions", "permissions"), Group: ("groups", "group_set")}
    names = relations.get(model, ("user_set",))
    return next(getattr(instance, name).all() for name in names if hasattr(instance, name))


def _name(row: Any) -> str:
    if isinstance(row, Permission):
        return f"{row.content_type.app_label}.{row.codename}"
    return f"{row._meta.verbose_name} {row}"
