"""Publishes into the rooms of a roomcast hub over HTTP: one file, the standard library, Python 3.8 or newer.

    from roomcast import emit_to_room
    emit_to_room("stream:build-42", "log", {"message": "done", "level": "INFO"})

    from roomcast import RoomcastHandler
    logging.getLogger().addHandler(RoomcastHandler("build-42"))

The hub is the one at ROOMCAST_URL (http://127.0.0.1:3000); ROOMCAST_KEY is sent as the Bearer token.
"""

import atexit
import http.client
import json
import logging
import os
import random
import sys
import threading
import time
import uuid
import weakref
from collections import deque
from contextlib import closing
from datetime import datetime, timezone
from decimal import Decimal
from itertools import count
from urllib.parse import quote, urlsplit

__all__ = ["RoomcastError", "RoomcastHandler", "emit_to_room", "send_event"]

DATA_BYTES = 65_536
BATCH_ENTRIES = 100
BATCH_BYTES = 1_048_576
# A hub answers within 2 s, so one that has not by now hangs.
TRY_SECONDS = 3.0
BACK_OFF_SECONDS = 0.05
LONGEST_BACK_OFF_SECONDS = 1.0


class RoomcastError(Exception):
    """Says why a message was refused; after `unavailable` it may have arrived: try again with the same `id`."""

    def __init__(self, code, message, retryable=False, retry_after=0.0):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.retryable = retryable
        self.retry_after = retry_after
        self.id = None


def emit_to_room(room, event, data, *, id=None, url=None, key=None, timeout=5):
    """Sends a message and returns its position: a dict with room, id, epoch, offset, cursor and duplicate.

    Retryable errors are tried again with the same id for as long as `timeout` (in seconds) lasts. A hub
    remembers ids for 10 minutes, so a retry is never a second message. Raises RoomcastError.
    """
    end = time.monotonic() + timeout
    id = uuid.uuid4().hex if id is None else id
    body = _encode({"event": event, "data": data, "id": id})
    with closing(_Hub(url, key)) as hub:
        for failures in count():
            try:
                rest = end - time.monotonic()
                return hub.post(room, body, min(rest, max(TRY_SECONDS, rest / 2)))
            except RoomcastError as error:
                error.id = id
                rest = end - time.monotonic()
                pause = _pause(error, failures, rest)
                if not error.retryable or pause >= rest:
                    raise
            time.sleep(pause)


def send_event(channel, event_type, data, **options):
    """Sends an event as django-eventstream does: the channel `name` is the room `stream:name`.

    Takes the options of emit_to_room, returns the position, and raises RoomcastError.
    """
    return emit_to_room(_room(channel), event_type, data, **options)


class RoomcastHandler(logging.Handler):
    """Sends log records into a room, in their order, from a thread of its own: logging never waits for the hub.

    While the hub is away, what is logged waits and is tried again with the same ids: up to `capacity` entries
    beside the batch that is on its way. Of more, the oldest are dropped, or with `drop="newest"` the newest, and
    an entry in their place says how many. `flush()` and `close()` wait for at most `timeout` seconds; the end of
    the program closes. What may not have arrived by then is told on standard error.
    """

    def __init__(
        self, room, level=logging.NOTSET, *, url=None, key=None, capacity=10_000, drop="oldest", timeout=5
    ):
        if drop not in ("oldest", "newest") or capacity < 2:
            raise ValueError('drop is "oldest" or "newest", and capacity 2 or more')
        super().__init__(level)
        self._room = _room(room)
        self._address = (url, key)
        self._capacity, self._drop, self._timeout = capacity, drop, timeout
        self._closed = False
        self._begin()
        _handlers.add(self)
        atexit.register(self.close)

    def emit(self, record):
        try:
            entry = _Entry(record, self.format(record))
            with self._changed:
                if self._closed:
                    _tell(f"logged after the handler was closed: {entry.message}")
                    return
                self._put(entry)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="roomcast", daemon=True)
                    self._thread.start()
                self._changed.notify_all()
        except Exception:
            self.handleError(record)

    def flush(self):
        """Waits until what has been logged so far is answered, well or not, or the time is up."""
        with self._changed:
            logged = self._logged
            self._changed.wait_for(lambda: self._settled >= logged, self._timeout)

    def close(self):
        with self._changed:
            if not self._closed:
                self._closed = True
                self._end = time.monotonic() + self._timeout
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._settled == self._logged, self._timeout)
                if self._settled < self._logged:
                    missing = self._logged - self._settled
                    _tell(f"{missing} log entries may not have arrived ({self._trouble})")
                    self._settled = self._logged
                    self._queue.clear()
        atexit.unregister(self.close)
        super().close()

    def _begin(self):
        self._changed = threading.Condition()
        self._hub = _Hub(*self._address)
        self._queue = deque()
        self._thread = None
        self._logged = self._settled = 0
        self._end = float("inf")
        self._trouble = "there was no time to send them"
        self._told = None

    def _put(self, entry):
        self._logged += 1
        if len(self._queue) < self._capacity:
            self._queue.append(entry)
            return
        at = 0 if self._drop == "oldest" else -1
        if not isinstance(self._queue[at], _Dropped):
            self._queue[at] = _Dropped(self._queue[at])
        self._queue[at].count += 1
        if self._drop == "oldest":
            del self._queue[1]
            self._queue.append(entry)

    def _run(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    break
                batch = self._take()
            self._deliver([item for _, item in batch])
            with self._changed:
                self._settled += sum(count for count, _ in batch)
                self._changed.notify_all()
        self._hub.close()

    def _take(self):
        batch, size = [], 2
        while self._queue and len(batch) < BATCH_ENTRIES:
            item = self._queue[0].encode()
            size += len(item) + 1
            if size > BATCH_BYTES:
                break
            batch.append((self._queue.popleft().count, item))
        return batch

    def _deliver(self, items):
        for failures in count():
            try:
                rest = self._end - time.monotonic()
                reply = self._hub.post(self._room, b"[" + b",".join(items) + b"]", min(TRY_SECONDS, rest))
                errors = [_error(result) for result in reply["results"]]
            except RoomcastError as error:
                errors = [error] * len(items)
            refused = [error for error in errors if error and not error.retryable]
            if refused:
                self._report(f"{len(refused)} log entries were refused", refused[0])
            waiting = [(item, error) for item, error in zip(items, errors) if error and error.retryable]
            rest = self._end - time.monotonic()
            if not waiting or rest <= 0:
                self._told = self._told if refused else None
                return
            self._report("log entries wait", waiting[0][1])
            items = [item for item, _ in waiting]
            time.sleep(min(rest, _pause(waiting[0][1], failures, rest)))

    def _report(self, what, error):
        self._trouble = str(error)
        # A hub that stays away is told once, not at each attempt.
        if self._told != self._trouble:
            self._told = self._trouble
            _tell(f"{what} ({error})")


class _Entry:
    count = 1

    def __init__(self, record, message):
        self.id = uuid.uuid4().hex
        self.message = _clean(message)
        at = datetime.fromtimestamp(record.created, timezone.utc).replace(tzinfo=None)
        self._rest = {
            "level": _clean(record.levelname)[:32],
            "program": _clean(record.name)[:200],
            "timestamp": at.isoformat(timespec="milliseconds") + "Z",
        }

    def encode(self):
        message, data = self.message, _encode({"message": self.message, **self._rest})
        while len(data) > DATA_BYTES:
            message = message[: min(len(message) - 1, len(message) * (DATA_BYTES - 400) // len(data))]
            cut = f"{message} … [cut, {len(self.message.encode())} bytes]"
            data = _encode({"message": cut, **self._rest})
        return b'{"id":"%s","event":"log","data":%s}' % (self.id.encode(), data)


class _Dropped(_Entry):
    """Stands for entries that found no room, in the place of the first of them."""

    def __init__(self, first):
        self.id = first.id
        self._rest = {"level": "WARNING", "program": "roomcast", "timestamp": first._rest["timestamp"]}

    @property
    def message(self):
        return f"{self.count} log entries dropped"


_SCHEMES = {"http": (http.client.HTTPConnection, 80), "https": (http.client.HTTPSConnection, 443)}


class _Hub:
    """One connection to a hub, made when it is needed and kept."""

    def __init__(self, url, key):
        self.url = (url or os.environ.get("ROOMCAST_URL") or "http://127.0.0.1:3000").rstrip("/")
        key = key or os.environ.get("ROOMCAST_KEY")
        self._headers = {"content-type": "application/json"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        try:
            parts = urlsplit(self.url)
            make, port = _SCHEMES[parts.scheme]
            self._connection = make(parts.hostname or "", parts.port or port)
        except (KeyError, ValueError, http.client.HTTPException):
            what = f"a hub is written as http://127.0.0.1:3000, not {self.url}"
            raise RoomcastError("bad_request", what) from None
        self._path = parts.path

    def post(self, room, body, seconds):
        """Posts to a room and returns the reply; raises RoomcastError."""
        connection = self._connection
        connection.timeout = max(0.001, seconds)
        if connection.sock is not None:
            connection.sock.settimeout(connection.timeout)
        try:
            path = f"{self._path}/rooms/{quote(room, safe='')}/messages"
            connection.request("POST", path, body, self._headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            what = f"the hub at {self.url} does not answer: {error!r}"
            raise RoomcastError("unavailable", what, True) from error
        except (TypeError, ValueError) as error:
            self.close()
            raise RoomcastError("bad_request", f"the room or the key can't be sent: {error}") from error
        return self._read(response.status, text)

    def close(self):
        self._connection.close()

    def _read(self, status, text):
        try:
            reply = json.loads(text)
        except ValueError:
            reply = None
        if status == 201 and isinstance(reply, dict) and ("results" in reply or "id" in reply):
            return reply
        error = _error(reply)
        if error is None:
            # It did not come from a hub, but from something before it.
            passes = status >= 500 or status in (408, 425, 429)
            reason = f"{self.url} answers {status} and is no hub"
            error = RoomcastError("unavailable" if passes else "not_found", reason, passes)
        raise error


def _error(reply):
    """The error in a reply, if it is one."""
    error = reply.get("error") if isinstance(reply, dict) else None
    if not isinstance(error, dict):
        return None
    after = error.get("retryAfterMs")
    seconds = after / 1000 if isinstance(after, (int, float)) else 0.0
    code, message = str(error.get("code")), str(error.get("message"))
    return RoomcastError(code, message, error.get("retryable") is True, seconds)


def _pause(error, failures, rest):
    """Any length up to a growing limit, on top of what was asked for, so that not all come back at once."""
    limit = min(LONGEST_BACK_OFF_SECONDS, BACK_OFF_SECONDS * 2 ** min(failures, 9), rest - error.retry_after)
    return error.retry_after + random.random() * max(0.0, limit)


def _room(name):
    return name if ":" in name else f"stream:{name}"


def _encode(value):
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RoomcastError("bad_request", f"the data is no JSON: {error}") from error


def _plain(value):
    """Dates, decimals and UUIDs, which Django's models are full of, as text."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, (Decimal, uuid.UUID)):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _clean(text):
    # A name of a file may have halves of surrogate pairs, which no UTF-8 has.
    return str(text).encode("utf-8", "replace").decode()


def _tell(text):
    if sys.stderr is not None:
        sys.stderr.write(f"roomcast: {text}\n")


_handlers = weakref.WeakSet()


def _begin_in_child():
    # The child has neither the thread nor the right to the connection; what waited is sent by the parent.
    for handler in list(_handlers):
        if not handler._closed:
            handler._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
