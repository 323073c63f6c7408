"""Redis has taken an append, and the listener never hears of it: a thousand times.

The control, a client that sends again by itself, is in `tests/integration/listening/test_lost_replies.py`.
"""

import time

import pytest

from channels_app.models import Gap
from tests.integration.listening.test_lost_replies import APPENDED
from tests.proxy import Proxy

from .cluster import Cluster
from .conftest import Settle
from .publisher import Publisher


@pytest.mark.fault(7)
@pytest.mark.parametrize("cuts", [60, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_appends_whose_answer_is_cut_are_stored_once(cluster: Cluster, settled: Settle, cuts: int) -> None:
    with Proxy.to(cluster.redis_url) as proxy:
        cluster.start("write")
        cluster.start("listen", REDIS_URL=proxy.url)
        cluster.start("listen", REDIS_URL=proxy.url)
        cluster.wait_for(2)
        cluster.channel("orders", "every")
        with Publisher(cluster.redis_url, "orders", rate=400) as publisher:
            with proxy.cutting(cuts, like=APPENDED, every=2) as cut:
                deadline = time.monotonic() + 500
                while cut.done < cuts and time.monotonic() < deadline:
                    time.sleep(0.05)
        verdict = settled(publisher)
        assert verdict.is_clean, str(verdict)
        assert "Traceback" not in cluster.log()
        assert not Gap.objects.filter(covered=False).exists()
