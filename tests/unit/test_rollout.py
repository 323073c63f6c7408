"""A rollout on Kubernetes, played with the numbers of the manifests: it never ends both listeners.

What the controller of deployments does is written down here as its source has it (`reconcileNewReplicaSet`,
`cleanupUnhealthyReplicas`, `scaleDownOldReplicaSetsForRollingUpdate` in
pkg/controller/deployment/rolling.go). When pods start and end, and who takes a seat, is chance. Time goes by
in seconds.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from relayproject.observing.rolling import (
    Holder,
    Wanted,
    listeners_fault,
    senders_fault,
    writers_fault,
)

KUBERNETES = Path(__file__).parents[2] / "deploy/kubernetes"
PROPOSE_SECONDS = 5
SETTLING_SECONDS = 5
LIFE_SECONDS = 900
LONGEST_ROLLOUT_SECONDS = 3600


def _deployment(file: str) -> dict[str, Any]:
    found: dict[str, Any] = next(yaml.safe_load_all((KUBERNETES / file).read_text()))
    return found


@dataclass(eq=False)
class Pod:
    """`starts_at`: its container runs; `works_at`: its worker takes tasks; `ends_at`: it was told to end."""

    name: str
    is_new: bool
    starts_at: float
    works_at: float
    probe: int
    ends_at: float | None = None
    ready_since: float | None = None


@dataclass
class Seat:
    """A listener, or a writer: in which pod, since when; when its life is over, when its pod ends it."""

    pod: Pod
    since: float
    retires_at: float
    ends_at: float | None = None


@dataclass
class World:
    """One deployment while it is rolled out."""

    manifest: dict[str, Any]
    ready: Callable[["World"], bool]
    seats_wanted: int
    chance: random.Random
    now: int = 0
    pods: list[Pod] = field(default_factory=list)
    seats: list[Seat] = field(default_factory=list)
    number: int = 0
    worst: int = 99

    def __post_init__(self) -> None:
        spec = self.manifest["spec"]
        (container,) = spec["template"]["spec"]["containers"]
        self.replicas: int = spec["replicas"]
        self.surge: int = spec["strategy"]["rollingUpdate"]["maxSurge"]
        self.least: int = self.replicas - spec["strategy"]["rollingUpdate"]["maxUnavailable"]
        self.wait: int = spec.get("minReadySeconds", 0)
        self.period: int = container.get("readinessProbe", {}).get("periodSeconds", 0)
        assert container.get("readinessProbe", {}).get("failureThreshold", 1) == 1
        self.grace: int = spec["template"]["spec"]["terminationGracePeriodSeconds"]
        command = container["command"]
        self.slots = int(command[command.index("--concurrency") + 1])
        for _ in range(self.replicas):
            self._add(is_new=False).starts_at = self.pods[-1].works_at = -1000
        for _ in range(self.seats_wanted):
            self._seat(self.chance.choice(self.pods))

    def step(self) -> None:
        self.now += 1
        self.pods = [pod for pod in self.pods if pod.ends_at is None or pod.ends_at > self.now]
        self.seats = [seat for seat in self.seats if seat.pod in self.pods and not self._is_told(seat)]
        # A listener whose life is over goes only while somebody has proved that he would take over.
        old = [seat for seat in self.seats if seat.retires_at <= self.now and len(self.seats) > 1]
        if old and self.is_settled:
            self.seats.remove(old[0])
        if self.now % PROPOSE_SECONDS == 0:
            self._propose(elsewhere=self.now // PROPOSE_SECONDS % 3 != 0)
        self._probe()
        self._control()
        self.worst = min(self.worst, len([seat for seat in self.seats if seat.since < self.now]))

    @property
    def is_over(self) -> bool:
        return all(pod.is_new for pod in self.pods) and len(self.pods) == self.replicas

    def holders(self) -> list[Holder]:
        return [Holder(0, seat.pod.name) for seat in self.seats]

    @property
    def is_settled(self) -> bool:
        return all(self.now - seat.since > SETTLING_SECONDS for seat in self.seats)

    def _is_told(self, seat: Seat) -> bool:
        return seat.ends_at is not None and seat.ends_at <= self.now

    # --- pods and seats ----------------------------------------------------------------

    def _add(self, *, is_new: bool) -> Pod:
        self.number += 1
        starts = self.now + self.chance.randint(1, 20)
        works = starts + self.chance.randint(5, 40)
        phase = self.chance.randrange(self.period) if self.period else 0
        self.pods.append(Pod(f"pod-{self.number}", is_new, starts, works, phase))
        return self.pods[-1]

    def _seat(self, pod: Pod) -> None:
        self.seats.append(
            Seat(pod, self.now, self.now + self.chance.randint(LIFE_SECONDS // 2, LIFE_SECONDS))
        )

    def _propose(self, *, elsewhere: bool) -> None:
        for _ in range(self.seats_wanted - len(self.seats)):
            taken = [seat.pod for seat in self.seats]
            able = [
                pod
                for pod in self.pods
                if pod.works_at <= self.now and pod.ends_at is None and taken.count(pod) < self.slots
            ]
            others = [pod for pod in able if not (elsewhere and pod in taken)]
            if others:
                self._seat(self.chance.choice(others))

    # --- Kubernetes ------------------------------------------------------------------------

    def _probe(self) -> None:
        for pod in self.pods:
            if pod.starts_at > self.now:
                continue
            if self.period and (self.now + pod.probe) % self.period:
                continue
            if not self.period or self.ready(self):
                pod.ready_since = self.now if pod.ready_since is None else pod.ready_since
            else:
                pod.ready_since = None

    def _is_available(self, pod: Pod) -> bool:
        return pod.ready_since is not None and self.now - pod.ready_since >= self.wait

    def _control(self) -> None:
        alive = [pod for pod in self.pods if pod.ends_at is None]
        old, new = ([pod for pod in alive if pod.is_new is kind] for kind in (False, True))
        if len(new) < self.replicas and len(alive) < self.replicas + self.surge:
            self._add(is_new=True)
            return
        unavailable = len(new) - sum(map(self._is_available, new))
        if not old or len(alive) - self.least - unavailable <= 0:
            return
        unhealthy = [pod for pod in old if not self._is_available(pod)]
        if unhealthy:
            self._end(self.chance.choice(unhealthy))
        elif sum(map(self._is_available, alive)) > self.least:
            self._end(self.chance.choice(old))

    def _end(self, pod: Pod) -> None:
        pod.ends_at = self.now + self.chance.randint(1, min(10, self.grace))
        # It takes nothing new, and its loops end one by one.
        for seat in self.seats:
            if seat.pod is pod:
                seat.ends_at = self.now + self.chance.randint(1, 10)


def _listeners_ready(world: World) -> bool:
    leaders = [Holder(0, seat.pod.name, "" if world.is_settled else "alone") for seat in world.seats[:1]]
    return listeners_fault(leaders, world.holders(), Wanted(1, world.seats_wanted)) is None


def _writers_ready(world: World) -> bool:
    return writers_fault(world.holders(), 1) is None


def _roll(manifest: dict[str, Any], ready: Callable[[World], bool], seats: int, seed: int) -> World:
    world = World(manifest, ready, seats, random.Random(seed))
    while not world.is_over:
        world.step()
        assert world.now < LONGEST_ROLLOUT_SECONDS, "it comes to no end"
    return world


@pytest.mark.parametrize("seed", range(300))
def test_a_rollout_never_ends_both_listeners(seed: int) -> None:
    assert _roll(_deployment("40-listeners.yaml"), _listeners_ready, 2, seed).worst >= 1


def _senders_ready(world: World) -> bool:
    return senders_fault(world.holders(), 1) is None


ONE_OF_EACH = {"50-writers.yaml": _writers_ready, "55-senders.yaml": _senders_ready}


@pytest.mark.parametrize("file", ONE_OF_EACH)
@pytest.mark.parametrize("seed", range(100))
def test_a_rollout_of_writers_or_senders_comes_to_an_end(seed: int, file: str) -> None:
    world = _roll(_deployment(file), ONE_OF_EACH[file], 1, seed)
    assert world.now < 600


@pytest.mark.parametrize("without", ["readinessProbe", "minReadySeconds", "spread"])
def test_without_one_of_its_rules_it_ends_both(without: str) -> None:
    manifest = _deployment("40-listeners.yaml")
    ready = _listeners_ready
    if without == "readinessProbe":
        del manifest["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    elif without == "minReadySeconds":
        del manifest["spec"]["minReadySeconds"]
    else:
        # Two listeners, wherever they are.
        def ready(world: World) -> bool:
            return len(world.seats) == 2 and world.is_settled

    worst = [_roll(manifest, ready, 2, seed).worst for seed in range(300)]

    assert min(worst) == 0


def test_the_manifests_wait_longer_than_it_takes_to_notice_who_is_missing() -> None:
    for file in ("40-listeners.yaml", *ONE_OF_EACH):
        spec = _deployment(file)["spec"]
        (container,) = spec["template"]["spec"]["containers"]
        probe = container["readinessProbe"]
        kind = file.removesuffix(".yaml").partition("-")[2]
        assert probe["exec"]["command"] == ["python", "manage.py", "replaceable", kind]
        assert spec["minReadySeconds"] >= 2 * (probe["periodSeconds"] + PROPOSE_SECONDS)
    assert _deployment("40-listeners.yaml")["spec"]["progressDeadlineSeconds"] >= 2 * LIFE_SECONDS


# --- the decision itself -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leaders", "seats", "fault"),
    [
        ("a", "ab", None),
        ("a", "a", "partition 0 has 1 of 2 listeners"),
        ("a", "aa", "all listeners of partition 0 are on a"),
        ("", "ab", "nobody holds the lease of the leading listener of partition 0"),
    ],
)
def test_listeners_may_be_replaced_once_two_pods_hear(leaders: str, seats: str, fault: str | None) -> None:
    found = listeners_fault(
        [Holder(0, host) for host in leaders], [Holder(0, host) for host in seats], Wanted(1, 2)
    )
    assert found == fault


def test_one_listener_for_each_partition_is_enough_where_one_is_wanted() -> None:
    assert listeners_fault([Holder(0, "a")], [Holder(0, "a")], Wanted(1, 1)) is None


def test_a_writer_in_trouble_is_not_replaced() -> None:
    assert writers_fault([Holder(0, "a", "MongoDB refuses")], 1) == "writer of partition 0: MongoDB refuses"
    assert writers_fault([Holder(0, "a")], 2) == "nobody holds the lease of the writer of partition 1"


def test_a_sender_is_replaced_once_every_shard_has_one() -> None:
    assert senders_fault([Holder(0, "a")], 1) is None
    assert senders_fault([Holder(0, "a")], 2) == "nobody holds the lease of the sender of shard 1"
    assert senders_fault([Holder(0, "a", "It cannot")], 1) == "sender of shard 0: It cannot"
