"""Many channels that nobody listens to."""

from django.db import connection


def make_topics(count: int) -> None:
    """`topic.1` and so on, as quickly as PostgreSQL makes them; it knows afterwards how many they are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO channels (channel, partition, subscription_status, refusal, deduplicate, listen) "
            "SELECT 'topic.' || number, 0, 'INACTIVE', '', '\"every\"', false "
            "FROM generate_series(1, %s) AS number",
            [count],
        )
        cursor.execute("ANALYZE channels")
