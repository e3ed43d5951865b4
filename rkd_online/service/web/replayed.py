"""An answer that is given again."""

from dataclasses import dataclass

from fastapi import Response


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a request was answered with."""

    status: int
    headers: dict[str, str]
    body: str

    def response(self) -> Response:
        """As it is sent."""
        return Response(self.body, self.status, self.headers, media_type="application/json")


class Replayed(Exception):
    """The request was answered before: leaves the transaction without a change."""

    def __init__(self, answer: KeptAnswer) -> None:
        super().__init__(answer)
        self.answer = answer

    def response(self) -> Response:
        """The same answer."""
        response = self.answer.response()
        response.headers["Idempotency-Replayed"] = "true"
        return response
