"""How long a store may fail, and what is no failure of a store."""

import pytest

from rkd_online.errors import ObjectStoreError
from rkd_online.objects.patience import Patience


class Work:
    """Fails with each of these in turn, then answers."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0
        self.waits: list[float] = []

    def __call__(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"

    def patience(self, seconds: float) -> Patience:
        return Patience(seconds, sleep=self.waits.append, clock=lambda: sum(self.waits))


def test_a_store_that_comes_back_is_waited_for_longer_each_time() -> None:
    closed = AttributeError("'NoneType' object has no attribute 'write'")
    work = Work(OSError("away"), closed, AssertionError())
    assert work.patience(60.0).call("storing a", work) == "done"
    assert work.waits == [0.5, 1.0, 2.0]


def test_one_that_stays_away_is_an_error_with_what_it_was_asked_for() -> None:
    work = Work(*[OSError("away")] * 9)
    expected = r"storing a: failed for 4 s, at last with OSError: away"
    with pytest.raises(ObjectStoreError, match=expected):
        work.patience(4.0).call("storing a", work)
    assert work.waits == [0.5, 1.0, 2.0]


def test_a_refusal_is_told_at_once() -> None:
    work = Work(PermissionError("no"))
    with pytest.raises(ObjectStoreError, match="storing a: the store refuses: no"):
        work.patience(60.0).call("storing a", work)
    assert (work.calls, work.waits) == (1, [])


@pytest.mark.parametrize(
    "error", [FileNotFoundError("a"), AttributeError("ls"), TypeError("2 given"), NameError("x")]
)
def test_what_is_not_there_and_what_is_no_stores_fault_pass_as_they_are(error: Exception) -> None:
    work = Work(error)
    with pytest.raises(type(error)) as raised:
        work.patience(60.0).call("storing a", work)
    assert raised.value is error
    assert (work.calls, work.waits) == (1, [])
