"""A stand-in for Ray's Jobs API: every job that is submitted runs until it is told otherwise."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FakeRay:
    """What was submitted, by submission id, and what of it is over."""

    url: str = ""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def token(self, submission_id: str) -> str:
        token: str = self.jobs[submission_id]["runtime_env"]["env_vars"]["RKD_ATTEMPT_TOKEN"]
        return token


@contextmanager
def fake_ray() -> Iterator[FakeRay]:
    ray = FakeRay()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/api/cluster_status":
                usage = {"node": {"CPU": [0.0, 8.0]}}
                report = {"loadMetricsReport": {"usageByNode": usage}}
                self._answer(200, {"data": {"clusterStatus": report}})
                return
            name = self.path.rsplit("/", 1)[-1]
            status = "FAILED" if name in ray.ended else "RUNNING"
            self._answer(200 if name in ray.jobs else 404, {"status": status, "message": ""})

        def do_POST(self) -> None:
            if self.path.endswith("/stop"):
                ray.ended.add(self.path.split("/")[-2])
                self._answer(200, {"stopped": True})
                return
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            ray.jobs[body["submission_id"]] = body
            self._answer(200, {"submission_id": body["submission_id"]})

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ray.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield ray
    server.shutdown()
    thread.join()
    server.server_close()
