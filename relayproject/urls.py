"""All addresses."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from alerts_app.api import page as alerts_page
from alerts_app.api.alerts import AlertAcknowledge, AlertAssign, AlertDetail, AlertList, AlertNote
from alerts_app.api.rules import RuleDetail, RuleDisable, RuleEnable, RuleList
from alerts_app.api.silences import SilenceDetail, SilenceList
from alerts_app.api.trying import NewBackTest, RuleBackTest
from channels_app.api.gaps import GapList
from channels_app.api.views import ChannelDetail, ChannelList, StartListening, StopListening
from live.api.tickets import TicketList
from live.api.views import Live, LiveChannel
from messages_app.api.download import MessageExport
from messages_app.api.publishing import PublishMessages
from messages_app.api.quarantine import (
    QuarantineAcknowledge,
    QuarantineDetail,
    QuarantineList,
    QuarantineRetry,
)
from messages_app.api.views import MessageDetail, MessageList
from relaybase.http.addresses import NAME, both, followed
from relaybase.http.problems import unexpected
from relaybase.pages.failures import missing, refused
from relayproject.observing.health import healthz, readyz, readyz_web
from relayproject.observing.metrics import Metrics
from relayproject.root import Root, unknown
from subscribers_app.api.actions import ACTIONS
from subscribers_app.api.leftovers import (
    DeadLetters,
    Drop,
    ParkedKeys,
    Redrive,
    SubscriptionSkip,
    UndeliveredList,
)
from subscribers_app.api.moving import (
    SubscriptionPause,
    SubscriptionResume,
    SubscriptionSeek,
    SubscriptionSize,
)
from subscribers_app.api.views import SubscriptionDetail, SubscriptionList
from webhooks_app.api import confirmation
from webhooks_app.api.actions import (
    EndpointChallenge,
    EndpointConfirm,
    EndpointDisable,
    EndpointEnable,
    EndpointRotate,
    EndpointTest,
)
from webhooks_app.api.attempts import EndpointAttempts, SubscriptionAttempts
from webhooks_app.api.views import EndpointDetail, EndpointList

API = "api/v1"
SUBSCRIPTION = f"{API}/subscriptions/(?P<name>[^/]+)"
ENDPOINT = f"{API}/endpoints/(?P<name>[^/]+)"
RULE = f"{API}/rules/(?P<name>[^/]+)"
ALERT = f"{API}/alerts/(?P<id>[^/]+)"

handler400 = refused
handler404 = missing
handler500 = unexpected

to_admin = RedirectView.as_view(pattern_name="admin:index")

urlpatterns = [
    path("", to_admin),
    path("admin", to_admin),
    path("admin/", admin.site.urls),
    both("healthz", healthz, "healthz"),
    both("readyz", readyz, "readyz"),
    both("readyz/web", readyz_web, "readyz-web"),
    both("metrics", Metrics.as_view(), "metrics"),
    # Log in and out: where the API's pages for browsers link to.
    path("api/session/", include("rest_framework.urls")),
    both("api/schema", SpectacularAPIView.as_view(), "api-schema"),
    both("api/docs", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), "api-docs"),
    both(API, Root.as_view(), "root"),
    both(f"{API}/start-listening", StartListening.as_view(), "start-listening"),
    both(f"{API}/stop-listening/{NAME}", StopListening.as_view(), "stop-listening"),
    both(f"{API}/channels", ChannelList.as_view(), "channels"),
    both(
        f"{API}/channels/{NAME}/messages",
        followed("messages", PublishMessages.as_view(), ChannelDetail.as_view()),
        "publish",
    ),
    both(
        f"{API}/channels/{NAME}/live",
        followed("live", LiveChannel.as_view(), ChannelDetail.as_view()),
        "live-channel",
    ),
    both(f"{API}/live", Live.as_view(), "live"),
    both(f"{API}/live/tickets", TicketList.as_view(), "live-tickets"),
    both(f"{API}/channels/{NAME}", ChannelDetail.as_view(), "channel"),
    both(f"{API}/gaps", GapList.as_view(), "gaps"),
    both(f"{API}/messages", MessageList.as_view(), "messages"),
    both(f"{API}/messages/export", MessageExport.as_view(), "export"),
    both(f"{API}/messages/(?P<key>[^/]+)", MessageDetail.as_view(), "message"),
    both(f"{API}/quarantine", QuarantineList.as_view(), "quarantine"),
    both(f"{API}/quarantine/(?P<key>[^/]+)", QuarantineDetail.as_view(), "quarantined"),
    both(f"{API}/quarantine/(?P<key>[^/]+)/retry", QuarantineRetry.as_view(), "retry"),
    both(f"{API}/quarantine/(?P<key>[^/]+)/acknowledge", QuarantineAcknowledge.as_view(), "acknowledge"),
    both(f"{API}/subscriptions", SubscriptionList.as_view(), "subscriptions"),
    both(SUBSCRIPTION, SubscriptionDetail.as_view(), "subscription"),
    both(f"{SUBSCRIPTION}/seek", SubscriptionSeek.as_view(), "subscription-seek"),
    both(f"{SUBSCRIPTION}/size", SubscriptionSize.as_view(), "subscription-size"),
    both(f"{SUBSCRIPTION}/pause", SubscriptionPause.as_view(), "subscription-pause"),
    both(f"{SUBSCRIPTION}/resume", SubscriptionResume.as_view(), "subscription-resume"),
    both(f"{SUBSCRIPTION}/dead-letters", DeadLetters.as_view(), "dead-letters"),
    both(f"{SUBSCRIPTION}/parked", ParkedKeys.as_view(), "parked"),
    both(f"{SUBSCRIPTION}/dead-letters/redrive", Redrive.as_view(), "redrive"),
    both(f"{SUBSCRIPTION}/dead-letters/drop", Drop.as_view(), "drop"),
    both(f"{SUBSCRIPTION}/skip", SubscriptionSkip.as_view(), "subscription-skip"),
    both(f"{SUBSCRIPTION}/undelivered", UndeliveredList.as_view(), "undelivered"),
    *(
        both(f"{SUBSCRIPTION}/{verb}", view.as_view(), f"subscription-{verb}")
        for verb, view in ACTIONS.items()
    ),
    both(f"{API}/endpoints", EndpointList.as_view(), "endpoints"),
    both(ENDPOINT, EndpointDetail.as_view(), "endpoint"),
    both(f"{ENDPOINT}/rotate", EndpointRotate.as_view(), "endpoint-rotate"),
    both(f"{ENDPOINT}/confirm", EndpointConfirm.as_view(), "endpoint-confirm"),
    both(f"{ENDPOINT}/challenge", EndpointChallenge.as_view(), "endpoint-challenge"),
    both(f"{ENDPOINT}/test", EndpointTest.as_view(), "endpoint-test"),
    both(f"{ENDPOINT}/enable", EndpointEnable.as_view(), "endpoint-enable"),
    both(f"{ENDPOINT}/disable", EndpointDisable.as_view(), "endpoint-disable"),
    both(f"{ENDPOINT}/attempts", EndpointAttempts.as_view(), "endpoint-attempts"),
    both(f"{SUBSCRIPTION}/attempts", SubscriptionAttempts.as_view(), "subscription-attempts"),
    both(f"{API}/rules", RuleList.as_view(), "rules"),
    both(f"{API}/rules/back-test", NewBackTest.as_view(), "rule-new-back-test"),
    both(RULE, RuleDetail.as_view(), "rule"),
    both(f"{RULE}/back-test", RuleBackTest.as_view(), "rule-back-test"),
    both(f"{RULE}/enable", RuleEnable.as_view(), "rule-enable"),
    both(f"{RULE}/disable", RuleDisable.as_view(), "rule-disable"),
    both("alerts", alerts_page.page, "alerts-page"),
    both("alerts/state", alerts_page.state, "alerts-state"),
    both("alerts/place", alerts_page.place, "alerts-place"),
    both(f"{API}/alerts", AlertList.as_view(), "alerts"),
    both(ALERT, AlertDetail.as_view(), "alert"),
    both(f"{ALERT}/acknowledge", AlertAcknowledge.as_view(), "alert-acknowledge"),
    both(f"{ALERT}/assign", AlertAssign.as_view(), "alert-assign"),
    both(f"{ALERT}/note", AlertNote.as_view(), "alert-note"),
    both(f"{API}/silences", SilenceList.as_view(), "silences"),
    both(f"{API}/silences/(?P<id>[^/]+)", SilenceDetail.as_view(), "silence"),
    both("webhooks/confirm", confirmation.page, "confirm"),
    re_path(f"^{API}/", unknown),
]
