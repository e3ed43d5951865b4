import pytest

from rkd_online.cluster.entrypoint import final
from rkd_online.errors import ClusterError, ModelError, TooLargeError, WeightSyncError


@pytest.mark.parametrize(
    ("error", "first", "second"),
    [
        (ModelError("no bfloat16"), True, True),
        (TooLargeError("needs 8 CPU"), True, False),
        (ClusterError("an actor died"), False, False),
        (WeightSyncError("another version"), False, False),
        (AttributeError("a mistake of ours"), False, False),
    ],
)
def test_what_another_attempt_would_meet_again_is_final(
    error: Exception, first: bool, second: bool
) -> None:
    assert (final(error, attempt=1), final(error, attempt=2)) == (first, second)
