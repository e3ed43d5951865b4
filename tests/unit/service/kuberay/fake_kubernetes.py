"""A stand-in for Kubernetes' API on loopback: objects with uids, owners and labels, pods' logs."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

NAMESPACE = "research"
GROUPS = {"rayjobs": "rayjobs.ray.io"}

Status = tuple[int, str]


@dataclass
class FakeKubernetes:
    """``objects`` are by kind and name, ``refusals`` by verb and resource. ``asked`` has every
    request as RBAC sees it. One without ``token`` is refused."""

    url: str = ""
    token: str = "first"
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    logs: dict[tuple[str, str], str] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    refusals: dict[tuple[str, str], Status] = field(default_factory=dict)
    uids: int = 0

    def rayjob(self, name: str) -> dict[str, Any]:
        return self.objects["rayjobs", name]

    @property
    def rayjobs(self) -> list[str]:
        return [name for kind, name in self.objects if kind == "rayjobs"]

    def run(self, name: str, dashboard: str = "") -> None:
        """Kueue admits it and KubeRay has its Ray up."""
        self.rayjob(name)["spec"]["suspend"] = False
        self.rayjob(name)["status"] = {
            "jobStatus": "RUNNING",
            "jobDeploymentStatus": "Running",
            "rayClusterName": f"{name}-x7k2p",
            "dashboardURL": dashboard,
        }

    def preempt(self, name: str) -> None:
        """Kueue suspends it, and KubeRay takes its Ray and its status away."""
        self.rayjob(name)["spec"]["suspend"] = True
        self.rayjob(name)["status"] = {"jobStatus": "", "jobDeploymentStatus": "Suspended"}

    def end(self, name: str, status: str, deployment: str = "Complete", message: str = "") -> None:
        self.rayjob(name)["status"] |= {
            "jobStatus": status,
            "jobDeploymentStatus": deployment,
            "message": message,
        }

    def add_pod(self, name: str, labels: dict[str, str], logs: dict[str, str]) -> None:
        containers = [{"name": container} for container in logs]
        about = {"name": name, "labels": labels, "creationTimestamp": "2026-03-01T12:00:00Z"}
        self.objects["pods", name] = {"metadata": about, "spec": {"containers": containers}}
        self.logs |= {(name, container): text for container, text in logs.items()}

    def create(self, kind: str, manifest: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = manifest["metadata"]["name"]
        if (kind, name) in self.objects:
            return _problem(409, f'{GROUPS.get(kind, kind)} "{name}" already exists')
        self.uids += 1
        manifest["metadata"] |= {"uid": f"uid-{self.uids}", "namespace": NAMESPACE}
        self.objects[kind, name] = manifest
        return 201, manifest

    def delete(self, kind: str, name: str) -> tuple[int, dict[str, Any]]:
        gone = self.objects.pop((kind, name), None)
        if gone is None:
            return _problem(404, f'{GROUPS.get(kind, kind)} "{name}" not found')
        owned = [key for key, value in self.objects.items() if _owned(value, gone)]
        for key in owned:
            del self.objects[key]
        return 200, {"kind": "Status", "status": "Success"}

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: Any
    ) -> tuple[int, dict[str, Any] | str]:
        after = path.partition(f"/namespaces/{NAMESPACE}/")[2].split("/")
        kind, name = after[0], after[1] if len(after) > 1 else ""
        verb = {"POST": "create", "DELETE": "delete"}.get(method, "get" if name else "list")
        resource = "/".join([GROUPS.get(kind, kind), *after[2:]])
        self.asked.append(
            (verb, resource, name or (body or {}).get("metadata", {}).get("name", ""))
        )
        if refusal := self.refusals.get((verb, resource)):
            return _problem(*refusal)
        if verb == "create":
            return self.create(kind, body)
        if verb == "delete":
            return self.delete(kind, name)
        if verb == "list":
            return 200, {"metadata": {}, "items": self._matching(kind, query)}
        if after[2:] == ["log"]:
            lines = self.logs[name, query["container"][0]].splitlines(keepends=True)
            return 200, "".join(lines[-int(query["tailLines"][0]) :])
        found = self.objects.get((kind, name))
        return (200, found) if found else _problem(404, f'{resource} "{name}" not found')

    def _matching(self, kind: str, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        wanted = dict(pair.split("=") for pair in query["labelSelector"][0].split(","))
        return [
            value
            for (other, _), value in self.objects.items()
            if other == kind and wanted.items() <= value["metadata"]["labels"].items()
        ]


def _owned(value: dict[str, Any], owner: dict[str, Any]) -> bool:
    owners = value["metadata"].get("ownerReferences", [])
    return owner["metadata"].get("uid") in [one["uid"] for one in owners]


def _problem(code: int, message: str) -> tuple[int, dict[str, Any]]:
    return code, {"kind": "Status", "status": "Failure", "code": code, "message": message}


@contextmanager
def fake_kubernetes() -> Iterator[FakeKubernetes]:
    fake = FakeKubernetes()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            asked = urlsplit(self.path)
            size = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(size)) if size else None
            if self.headers["Authorization"] != f"Bearer {fake.token}":
                code, said = _problem(401, "Unauthorized")
                self._send(code, said)
                return
            self._send(*fake.answer(self.command, asked.path, parse_qs(asked.query), body))

        do_GET = do_POST = do_DELETE = handle_one

        def _send(self, code: int, said: dict[str, Any] | str) -> None:
            data = (said if isinstance(said, str) else json.dumps(said)).encode()
            self.send_response(code)
            kind = "text/plain" if isinstance(said, str) else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


def kubeconfig(folder: Path, fake: FakeKubernetes) -> Path:
    """A kubeconfig whose token lies in a file beside it."""
    (folder / "token").write_text(fake.token)
    file = folder / "kubeconfig"
    user = {"tokenFile": str(folder / "token")}
    context = {"cluster": "fake", "user": "fake", "namespace": NAMESPACE}
    file.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "fake",
                "clusters": [{"name": "fake", "cluster": {"server": fake.url}}],
                "users": [{"name": "fake", "user": user}],
                "contexts": [{"name": "fake", "context": context}],
            }
        )
    )
    return file
