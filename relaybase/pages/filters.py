"""How numbers and times are written for people."""

from datetime import UTC, datetime

from django import template

from relaybase.pages import pretty

register = template.Library()

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


@register.filter
def seconds(value: float) -> str:
    """A length of time: `0.4 s`, `12 s`, `3 min`, `5 h`, `2 d`."""
    for size, unit in _UNITS:
        if value >= size:
            return f"{int(value // size)} {unit}"
    return f"{value:.0f} s" if value >= 10 else f"{value:.1f} s"


@register.filter
def span(value: int) -> str:
    """So many seconds to the second, in the largest unit that leaves no rest: `90 min`, `2 d`."""
    size, unit = next((known for known in _UNITS if value % known[0] == 0), (1, "s"))
    return f"{value // size} {unit}"


@register.filter
def ago(when: datetime | None) -> str:
    """How long ago: `12 s ago`."""
    if when is None:
        return "never"
    age = max(0.0, (datetime.now(UTC) - when).total_seconds())
    return f"{seconds(float(int(age)) if age >= 1 else 0.0).replace('.0 s', ' s')} ago"


@register.filter
def age(when: datetime | None) -> str:
    """How long it has been: `12 s`."""
    return ago(when).removesuffix(" ago")


@register.filter
def exact(when: datetime) -> str:
    """To the millisecond, in UTC."""
    return when.astimezone(UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")


@register.filter
def grouped(value: int | None) -> str:
    """A whole number with thin spaces: `1 234 567`; a dash where it is not known."""
    return "–" if value is None else f"{value:,}".replace(",", "\u202f")


@register.filter
def per_second(value: float) -> str:
    """A rate with as many digits as mean something."""
    if value >= 100:
        return grouped(round(value))
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


@register.filter
def size(value: int | None) -> str:
    """Bytes: `512 B`, `1.5 KiB`, `3.0 MiB`."""
    if value is None:
        return "–"
    if value < 1024:
        return f"{value} B"
    return f"{value / 1024:.1f} KiB" if value < 1 << 20 else f"{value / (1 << 20):.1f} MiB"


@register.filter
def visible(text: str) -> str:
    """The text with characters that are unseen as their codes. It is escaped as ever."""
    return pretty.visible(text)
