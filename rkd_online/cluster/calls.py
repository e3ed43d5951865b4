"""The one border to Ray actors: every answer has a time limit and every failure a name."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import ray
from ray.exceptions import ActorDiedError, RayError, RayTaskError

from rkd_online.errors import ClusterError

LONGER = "where that is its usual pace, raise resources.timeout_seconds"


async def answer(reference: "ray.ObjectRef[Any]", what: str, timeout: float) -> Any:
    """The result of one actor call.

    Raises what the actor's code raised, or ClusterError naming ``what`` when the actor died or did
    not answer in time.
    """
    try:
        return await asyncio.wait_for(asyncio.wrap_future(reference.future()), timeout)
    except TimeoutError:
        raise ClusterError(f"{what} did not answer within {timeout:.0f} s; {LONGER}") from None
    except RayError as error:
        raise translated(error, what) from error


async def answers(stream: Any, what: str, timeout: float) -> AsyncIterator[Any]:
    """The results of a streaming actor call, one by one, each within ``timeout``."""
    items = aiter(stream)
    while True:
        try:
            reference = await asyncio.wait_for(anext(items), timeout)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise ClusterError(f"{what} gave nothing for {timeout:.0f} s; {LONGER}") from None
        except RayError as error:
            raise translated(error, what) from error
        yield await answer(reference, what, timeout)


def translated(error: RayError, what: str) -> Exception:
    """The actor code's own error, or what happened to the actor."""
    if isinstance(error, RayTaskError) and isinstance(error.cause, Exception):
        return error.cause
    if isinstance(error, ActorDiedError):
        return ClusterError(f"{what} died: {error}")
    return ClusterError(f"{what} failed: {error}")
