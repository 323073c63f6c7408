"""Where a cursor is to go, as a field of a form: one of a few places. Two of them want more than a click."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from relaycore.delivering import beginning
from relaycore.delivering.beginning import Start
from relaycore.errors import BadSubscription

HERE: Final = "here"


@dataclass(frozen=True, slots=True)
class Place:
    """One of the choices, as it is said to a person."""

    kind: str
    label: str
    means: str


IS_HERE: Final = Place(HERE, "Where it stands", "What came while it was paused is handed out as well.")
LATEST: Final = Place(
    beginning.LATEST, "Latest", "After all that is there by now. Only what comes later is handed out."
)
EARLIEST: Final = Place(beginning.EARLIEST, "Earliest", "From the first message on that is stored.")
TIME: Final = Place(beginning.TIME, "A time (UTC)", "From what was put on the stream then, or later.")
POSITION: Final = Place(
    beginning.POSITION,
    "A position",
    "Above this message: its page and the API say what its position is.",
)
EVERYWHERE: Final = (LATEST, TIME, EARLIEST, POSITION)
AGAIN: Final = (IS_HERE, LATEST, TIME)


class _PlaceWidget(forms.MultiWidget):
    """Radio buttons one below the other, each with what it means; a time and a position where they belong."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = places
        moment = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"})
        super().__init__({"": forms.HiddenInput(), "time": moment, "position": forms.TextInput()})

    def decompress(self, value: Any) -> list[Any]:
        """As they are shown."""
        return [value, "", ""]

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """As HTML."""
        shown = value if isinstance(value, list) else self.decompress(value)
        kind, texts = shown[0], {beginning.TIME: shown[1], beginning.POSITION: shown[2]}
        rows = [(one, one.kind == kind, texts.get(one.kind)) for one in self.places]
        return SafeString(render_to_string("relay/places.html", {"name": name, "rows": rows}))


class PlaceField(forms.MultiValueField):
    """Where a cursor goes, as `Start`; None: where it stands. A position may be said whatever is shown."""

    def __init__(self, places: Sequence[Place] = EVERYWHERE, **options: Any) -> None:
        kinds = forms.ChoiceField(choices=[(one.kind, one.label) for one in {*places, POSITION}])
        parts = (kinds, forms.CharField(required=False), forms.CharField(required=False))
        super().__init__(parts, widget=_PlaceWidget(places), require_all_fields=False, **options)

    def compress(self, data_list: list[Any]) -> Start | None:
        """As it is meant."""
        kind, moment, position = data_list or ("", "", "")
        if kind == HERE:
            return None
        given = {beginning.TIME: {kind: moment}, beginning.POSITION: {kind: position}}.get(kind, kind)
        try:
            return beginning.parse(given)
        except BadSubscription as exc:
            raise ValidationError(str(exc)) from exc
