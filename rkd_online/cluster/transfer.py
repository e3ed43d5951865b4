"""vLLM's weight-transfer verbs, passed on to generator actors."""

import socket
from typing import Any

import ray
from ray.exceptions import GetTimeoutError

from rkd_online.errors import WeightSyncError
from rkd_online.weights.transfer import Rendezvous

VERB_TIMEOUT = 300.0
"""Seconds for one verb on all generators."""


class GeneratorsClient:
    """What vLLM's sender calls on the other end (its ``VLLMWeightSyncClient``), for all generators
    at once. Used in the learner's thread, which is not the actor's event loop."""

    def __init__(self, actors: list[Any], ranks_each: int) -> None:
        self._actors = actors
        self._ranks_each = ranks_each

    def init_weight_transfer_engine(self, init_info: dict[str, Any]) -> None:
        """Let every engine join; in an NCCL group each takes the next ranks."""
        first = init_info.get("rank_offset")
        ranks = [
            {} if first is None else {"rank_offset": first + i * self._ranks_each}
            for i in self._indices()
        ]
        self._all("init_weight_transfer_engine", [(init_info | rank,) for rank in ranks])

    def start_weight_update(self) -> None:
        """Open the layers for new weights."""
        self._all("start_weight_update", [() for _ in self._actors])

    def update_weights(self, update_info: dict[str, Any] | list[dict[str, Any]]) -> None:
        """Receive."""
        self._all("update_weights", [(update_info,) for _ in self._actors])

    def finish_weight_update(self, weight_version: str | None = None) -> None:
        """Close the layers. The version is committed with the probe, not here."""
        self._all("finish_weight_update", [() for _ in self._actors])

    def _indices(self) -> range:
        return range(len(self._actors))

    def _all(self, verb: str, arguments: list[tuple[Any, ...]]) -> None:
        calls = [
            actor.transfer.remote(verb, *args)
            for actor, args in zip(self._actors, arguments, strict=True)
        ]
        try:
            ray.get(calls, timeout=VERB_TIMEOUT)
        except GetTimeoutError:
            raise WeightSyncError(
                f"{len(calls)} generators did not all answer {verb} within {VERB_TIMEOUT:.0f} s"
            ) from None


def free_rendezvous(receivers: int) -> Rendezvous:
    """A port of this node that is free now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return Rendezvous(ray.util.get_node_ip_address(), probe.getsockname()[1], receivers)
