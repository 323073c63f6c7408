"""The API's first page, and its answer where there is none."""

from typing import ClassVar

from django.http import HttpRequest, JsonResponse
from django.urls import reverse as path_of
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from access_app.permissions import Needs
from relaybase.http.details import problem_details
from relaybase.http.problems import as_response


class Root(APIView):
    """Relay keeps what is published on Redis channels, or to it by HTTP.

    Start listening to a channel, publish on it, look at the channels, read their messages.
    """

    name = "Relay"
    needs: ClassVar[Needs] = {"GET": None}
    schema = None

    def get(self, request: Request) -> Response:
        """The addresses."""
        return Response(
            {
                "start_listening": reverse("start-listening", request=request),
                "stop_listening": reverse("stop-listening", ["orders"], request=request),
                "channels": reverse("channels", request=request),
                "gaps": reverse("gaps", request=request),
                "messages": reverse("messages", request=request) + "?channel=orders",
                "subscriptions": reverse("subscriptions", request=request),
                "alerts": reverse("alerts", request=request),
                "rules": reverse("rules", request=request),
                "quarantine": reverse("quarantine", request=request),
                "documentation": reverse("api-docs", request=request),
            }
        )


@csrf_exempt  # It changes nothing, and what is not there is 404 whoever asks.
def unknown(request: HttpRequest) -> JsonResponse:
    """Nothing is at this address."""
    root = request.build_absolute_uri(path_of("root"))
    return as_response(problem_details(404, f"Nothing is at this address. See {root}"))
