"""The forms of an endpoint: how it is set, and what is decided about it."""

from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError

from relaybase.pages.places import AGAIN, HERE, PlaceField
from relaycore.errors import RelayError
from relaycore.outbound.headers import check as check_headers
from webhooks_app import addresses, keeping, trusting
from webhooks_app.models import Endpoint, EndpointSecret

SETTINGS: Final = ("url", "confirmation", "timeout_seconds", "max_concurrency", "max_per_second")

_HOUR: Final = 3600


class NothingForm(forms.Form):
    """Nothing is asked."""


class EnableForm(forms.Form):
    """From where its subscriptions go on."""

    to = PlaceField(AGAIN, label="Go on from", initial=HERE)


class DisableForm(forms.Form):
    """Why it is disabled."""

    reason = forms.CharField(
        required=False, max_length=500, label="Reason", help_text="Others see it. It may be empty."
    )


class RotateForm(forms.Form):
    """Which secrets, and for how long those of before sign."""

    kind = forms.ChoiceField(
        required=False, choices=[("", "each that it has"), *EndpointSecret.Kind.choices], label="Secrets"
    )
    overlap_hours = forms.IntegerField(
        min_value=0,
        max_value=keeping.MOST_OVERLAP_SECONDS // _HOUR,
        initial=keeping.OVERLAP_SECONDS // _HOUR,
        label="Hours for which those of before sign as well",
        help_text="0: they end at once, for when one has become known.",
    )

    def clean(self) -> dict[str, Any]:
        """In seconds as well."""
        cleaned: dict[str, Any] = super().clean() or {}
        if "overlap_hours" in cleaned:
            cleaned["overlap_seconds"] = cleaned["overlap_hours"] * _HOUR
        return cleaned


def _pem(label: str, text: str) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 3, "placeholder": "-----BEGIN …"})
    return forms.CharField(
        required=False, max_length=trusting.MOST_CHARS, label=label, widget=widget, help_text=text
    )


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    """An endpoint's settings. `wanted`: what is to be set; `tags`: what was seen.

    may_vouch: whether he may answer for an endpoint, so that it need not be asked
    """

    may_vouch: ClassVar[bool] = False

    sent_along = forms.CharField(
        required=False,
        label="Headers",
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "Authorization: Bearer …"}),
        help_text="Headers of each request, one a line: NAME: VALUE. They are kept encrypted, and not shown.",
    )
    no_headers = forms.BooleanField(required=False, label="Send no headers", help_text="Takes them away.")
    ca = _pem("CA certificates", "Who must have signed the endpoint's. Empty: an authority of the system.")
    certificate = _pem("Client certificate", "As whom Relay comes, with those between it and its CA.")
    key = _pem("Client key", "Without a password. It is kept encrypted, and not shown.")
    signatures = forms.MultipleChoiceField(
        choices=EndpointSecret.Kind.choices,
        initial=[keeping.V1],
        widget=forms.CheckboxSelectMultiple,
        help_text="With what requests are signed. A secret is made for each, and shown once.",
    )
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Endpoint
        fields: ClassVar[list[str]] = ["name", *SETTINGS]
        labels: ClassVar[dict[str, str]] = {"url": "URL"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            self.fields.pop("no_headers", None)
            return
        self.fields.pop("signatures", None)
        self.initial["seen"] = self.instance.tag
        self.initial["ca"] = self.instance.tls_ca
        self.initial["certificate"] = self.instance.tls_certificate
        if "sent_along" in self.fields:
            self.fields["sent_along"].help_text += " Empty: they stay as they are."
            self.fields["key"].help_text += " Empty: it stays that of the same certificate."

    @property
    def wanted(self) -> Any:
        """What somebody has said here."""
        columns = [column for column in SETTINGS if column in self.changed_data or self.instance.pk is None]
        wanted = {column: self.cleaned_data[column] for column in columns}
        if self.cleaned_data["sent_along"] or self.cleaned_data.get("no_headers"):
            wanted["headers"] = self.cleaned_data["sent_along"]
        if (tls := self._tls()) is not None:
            wanted["tls"] = tls
        return wanted

    def _tls(self) -> dict[str, str] | None:
        """What somebody has said here of it; None: what stands there already."""
        given = {part: trusting.normal(self.cleaned_data.get(part, "")) for part in trusting.PARTS}
        before = {"ca": self.instance.tls_ca, "certificate": self.instance.tls_certificate, "key": ""}
        return None if given == before or not set(trusting.PARTS) <= set(self.fields) else given

    @property
    def tags(self) -> list[str]:
        """That of the settings which the page showed."""
        return [self.cleaned_data.get("seen", "")]

    def clean_url(self) -> str:
        """One to which something can be sent."""
        try:
            return str(addresses.require(self.cleaned_data["url"]))
        except RelayError as exc:
            raise ValidationError(str(exc)) from exc

    def clean_sent_along(self) -> dict[str, str]:
        """By name."""
        found: dict[str, str] = {}
        for line in self.cleaned_data["sent_along"].splitlines():
            name, colon, value = (part.strip() for part in line.partition(":"))
            if line.strip() and not colon:
                raise ValidationError("One header a line: NAME: VALUE.")
            if name.lower() in map(str.lower, found):
                raise ValidationError(f"{name} stands there twice.")
            if colon:
                found[name] = value
        try:
            check_headers(found)
        except RelayError as exc:
            raise ValidationError(str(exc)) from exc
        return found

    def _check_tls(self, cleaned: dict[str, Any]) -> None:
        """It is set on a row that nobody keeps."""
        if self.errors:
            return
        had = {name: getattr(self.instance, name) for name in ("tls_ca", "tls_certificate", "tls_key")}
        row, given = Endpoint(url=cleaned["url"], **had), self._tls()
        try:
            if given is not None:
                trusting.set_to(row, given)
            trusting.require_https(row)
        except RelayError as exc:
            self.add_error("certificate" if cleaned.get("certificate") else "ca", str(exc))

    def clean(self) -> dict[str, Any]:
        """Who may not answer for it has it asked."""
        cleaned: dict[str, Any] = super().clean() or {}
        is_vouched = cleaned.get("confirmation") == Endpoint.Confirmation.VOUCHED
        if is_vouched and {"url", "confirmation"} & set(self.changed_data) and not self.may_vouch:
            self.add_error(
                "confirmation",
                "To answer for it you need the permissions on subscriptions of who manages every channel.",
            )
        self._check_tls(cleaned)
        if cleaned.get("sent_along") and cleaned.get("no_headers"):
            self.add_error("no_headers", "Either these headers, or none.")
        return cleaned
