"""What a scrape of the control plane says."""

from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from rkd_online.service.telemetry.catalogue import SERIES


@dataclass(frozen=True)
class Scrape:
    """Samples by name and labels, and the type of each family."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]
    kinds: dict[str, str]

    def __call__(self, name: str, **labels: str) -> float | None:
        """One sample; None where there is none."""
        return self.samples.get((name, frozenset(labels.items())))

    def all(self, name: str) -> dict[str, float]:
        """The samples of a name that are not 0, by the value of their only label."""
        return {
            next(iter(labels))[1]: value
            for (found, labels), value in self.samples.items()
            if found == name and value
        }

    def requests(self) -> dict[tuple[str, str, str], float]:
        """Requests by method, route and status."""
        return {
            (labels["method"], labels["route"], labels["status"]): value
            for (name, pairs), value in self.samples.items()
            if name == "rkd_requests_total" and (labels := dict(pairs))
        }

    def labels(self) -> dict[str, set[str]]:
        """Names of labels by name of series; those of a histogram's parts under its own."""
        found: dict[str, set[str]] = {}
        for name, labels in self.samples:
            whole = name if name in SERIES else name.rpartition("_")[0]
            found.setdefault(whole, set()).update({label for label, _ in labels} - {"le"})
        return found


def parsed(text: str) -> Scrape:
    families = list(text_string_to_metric_families(text))
    samples = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }
    named = {f"{one.name}_total" if one.type == "counter" else one.name: one for one in families}
    assert len(samples) == sum(len(family.samples) for family in families)
    return Scrape(samples, {name: family.type for name, family in named.items()})


async def scrape(http: httpx.AsyncClient) -> Scrape:
    answer = await http.get("/metrics")
    assert answer.status_code == 200, answer.text
    return parsed(answer.text)
