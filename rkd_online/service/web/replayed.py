"""An answer that is given again."""

from fastapi import Response

from rkd_online.service.store.access_tables import AnswerRow


class Replayed(Exception):
    """The request was answered before."""

    def __init__(self, answer: AnswerRow) -> None:
        super().__init__(answer.key)
        self.answer = answer

    def response(self) -> Response:
        """The same answer."""
        headers = {**self.answer.headers, "Idempotency-Replayed": "true"}
        return Response(
            self.answer.body, self.answer.status, headers, media_type="application/json"
        )
