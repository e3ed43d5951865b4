"""The control plane's typed clients: `Client` blocks, `AsyncClient` has the same methods to await.

    with Client("http://head:8420", key) as client:
        job = client.submit(spec, labels={"team": "reasoning"})
        for event in client.stream(job.id):
            print(event.number, event.type)

What the service refuses is a `ProblemError` with its ``code``; what does not answer is a
`ServiceError`. No database or web package is imported.
"""

from rkd_online.client.awaiting import AsyncClient
from rkd_online.client.blocking import Client
from rkd_online.client.problems import ProblemError

__all__ = ["AsyncClient", "Client", "ProblemError"]
