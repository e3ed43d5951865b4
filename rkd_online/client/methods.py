"""One description of a method for both clients: a call becomes an answer, or something to await."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Generic, ParamSpec, Self, TypeVar, overload

from rkd_online.client.request import Call, Download
from rkd_online.service.schemas.answer import Page

P = ParamSpec("P")
T = TypeVar("T")


class Blocking(ABC):
    """Sends calls and waits for their answers."""

    @abstractmethod
    def _send(self, call: Call[T]) -> T: ...

    @abstractmethod
    def _each(self, call: Call[Page[T]]) -> Iterator[T]: ...

    @abstractmethod
    def _pieces(self, download: Download[T]) -> Iterator[T]: ...


class Awaiting(ABC):
    """Sends calls whose answers are awaited."""

    @abstractmethod
    async def _send(self, call: Call[T]) -> T: ...

    @abstractmethod
    def _each(self, call: Call[Page[T]]) -> AsyncIterator[T]: ...

    @abstractmethod
    def _pieces(self, download: Download[T]) -> AsyncIterator[T]: ...


class _Described(Generic[P, T]):
    """What describes a request, and its words."""

    def __init__(self, describe: Callable[P, T]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    def _then(self, do: Callable[[T], Any]) -> Callable[P, Any]:
        """Describe the request, then do this with it."""

        @wraps(self._describe)
        def method(*args: P.args, **options: P.kwargs) -> Any:
            return do(self._describe(*args, **options))

        return method


class Method(_Described[P, Call[T]]):
    """A method that makes one call."""

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Blocking | Awaiting | None, owner: type) -> Any:
        """The method of a client."""
        return self if client is None else self._then(client._send)


class Listing(_Described[P, Call[Page[T]]]):
    """A method that goes through all pages of a list."""

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Blocking | Awaiting | None, owner: type) -> Any:
        """The method of a client."""
        return self if client is None else self._then(client._each)


class Pieces(_Described[P, Download[T]]):
    """A method that hands on what comes in pieces."""

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Blocking | Awaiting | None, owner: type) -> Any:
        """The method of a client."""
        return self if client is None else self._then(client._pieces)
