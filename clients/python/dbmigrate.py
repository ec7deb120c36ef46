"""Users' databases for Python backends, over the HTTP query API of dbmigrate's service.

One file, the standard library only, close to DB-API 2.0 (PEP 249). Copy it into your project.

    import dbmigrate

    with dbmigrate.connect("https://users.example.com", token, user) as db:  # commits, or rolls back
        db.execute("UPDATE wallet SET coins = coins + ? WHERE id = ?", (5, 1))
        db.execute("INSERT INTO log(what) VALUES (:what)", {"what": "won"})
    print(db.execute("SELECT coins FROM wallet WHERE id = 1").fetchone())

What differs from a database on a local disk:

- A transaction is one request. Statements that write are queued; commit() sends them, and all are applied or
  none. Until then their cursors have no rows, no rowcount and no lastrowid. With autocommit=True each
  statement is sent at once, as a transaction of its own.
- A read is sent at once. While statements are queued, it would not see them, so it is refused: commit first,
  or send reads and writes together with batch().
- executescript() sends its statements at once, all of them in one transaction: all are applied, or none.
- TryAgain means that nothing was written. The client has then already repeated the request for `retry_for`
  seconds, which is longer than a user's move. The queue is kept, so commit() may be called again.
- OutcomeUnknown means that a write was sent and its answer was lost. It may have been applied. The client
  never repeats it. To repeat it yourself, give the write an idempotency key (docs/mount.md).

Values: None, int (64 bits), float, str and bytes are NULL, INTEGER, REAL, TEXT and BLOB, exactly, in both
directions: 5.0 stays a float, 2**63-1 an int. bool is sent as 0 or 1.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import math
import random
import re
import select
import sqlite3
import ssl
import time
import urllib.parse

apilevel = "2.0"
threadsafety = 1  # threads may share the module, not a connection
paramstyle = "qmark"  # a dict of parameters is "named", and works as well

__all__ = [
    "connect", "is_fenced", "Connection", "Cursor", "apilevel", "threadsafety", "paramstyle",
    "Warning", "Error", "InterfaceError", "DatabaseError", "DataError", "OperationalError", "IntegrityError",
    "InternalError", "ProgrammingError", "NotSupportedError", "TryAgain", "OutcomeUnknown",
    "Date", "Time", "Timestamp", "DateFromTicks", "TimeFromTicks", "TimestampFromTicks", "Binary",
    "STRING", "BINARY", "NUMBER", "DATETIME", "ROWID",
]


class Warning(Exception):  # noqa: A001 - PEP 249 names it
    """Required by PEP 249; never raised."""


class Error(Exception):
    """Base of all errors. `kind` is the service's error kind, `status` the HTTP status, where there is one."""

    def __init__(self, message, kind=None, status=None, details=None):
        super().__init__(message)
        self.kind, self.status, self.details = kind, status, details


class InterfaceError(Error):
    """The client was used wrongly, or the URL does not lead to the service."""


class DatabaseError(Error):
    """The request was refused."""


class DataError(DatabaseError):
    """A value that SQLite cannot hold, or that no answer carries exactly."""


class OperationalError(DatabaseError):
    """The service cannot answer, through no fault of the statement."""


class IntegrityError(DatabaseError):
    """A constraint failed; nothing of the transaction was applied."""


class InternalError(DatabaseError):
    """The service failed in a way that it does not know."""


class ProgrammingError(DatabaseError):
    """A statement is wrong; nothing of the transaction was applied."""


class NotSupportedError(DatabaseError):
    """The user's database cannot do this."""


class TryAgain(OperationalError):
    """Nothing was written: the user is moving, or somebody is overloaded or cannot be reached. Try again."""


class OutcomeUnknown(OperationalError):
    """A write was sent and its answer was lost: it may have been applied, or not. Never repeated."""


_CLASSES = {
    "unauthorized": OperationalError, "closed": OperationalError, "set-back": OperationalError,
    "file-missing": OperationalError, "cutover-in-progress": OperationalError, "overloaded": OperationalError,
    "too-large": OperationalError, "too-costly": OperationalError, "outcome-unknown": OutcomeUnknown,
    "sql-error": ProgrammingError, "write-in-read": ProgrammingError, "bad-request": ProgrammingError,
    "integer-precision": DataError, "not-split": NotSupportedError, "internal": InternalError,
    "split-conflict": IntegrityError, "not-mounted": NotSupportedError,
    "not-found": InterfaceError, "method-not-allowed": InterfaceError, "unsupported-media-type": InterfaceError,
}
_CONSTRAINT = re.compile(r"constraint failed|datatype mismatch", re.I)
_TOO_BIG = re.compile(r"string or blob too big", re.I)

MAX_EXACT = 2**53  # up to here a whole JSON number is an INTEGER


def connect(url, token, user, *, autocommit=False, rows=tuple, scope="hot", timeout=30.0, retry_for=30.0,
            ssl_context=None, allow_http=False):
    """Opens a user's database. Nothing is sent before the first statement.

    url         of the service, such as https://users.example.com
    token       this backend's token (docs/backends.md)
    rows        tuple, or dict for rows by column name
    scope       "cold" asks for the cold rows of a split user
    timeout     seconds for one answer; a write that takes longer raises OutcomeUnknown
    retry_for   seconds for which a request is repeated while nothing was written; 0 never
    allow_http  http: would send the token in the clear, so it needs this or an address of this machine
    """
    return Connection(url, token, user, autocommit=autocommit, rows=rows, scope=scope, timeout=timeout,
                      retry_for=retry_for, ssl_context=ssl_context, allow_http=allow_http)


def is_fenced(data):
    """Whether a user's file, or its first 100 bytes, belongs to a Durable Object or to a move under way.

    A backend that still loads files asks this of each file that it loads. If it is fenced, the backend uses
    the service instead: what the file holds may be old, and it must not be saved.
    """
    head = bytes(data[:100])
    return head.startswith(b"dbmigrate tombstone 1\n") or head[72:76] in (b"DMF1", b"DMS1")


class Connection:
    """One user's database. Not for several threads at once."""

    def __init__(self, url, token, user, *, autocommit, rows, scope, timeout, retry_for, ssl_context, allow_http):
        if rows not in (tuple, dict):
            raise InterfaceError("rows is tuple or dict")
        if scope not in ("hot", "cold"):
            raise InterfaceError('scope is "hot" or "cold"')
        self._channel = _Channel(url, token, timeout, ssl_context, allow_http)
        self._path = "/api/users/" + _segment(user)
        self._rows, self._scope, self._retry_for = rows, scope, retry_for
        self._queue = []
        self._closed = False
        self.user = user
        self.autocommit = autocommit
        self.side = None  # "file" or "store": which one gave the last answer

    def __repr__(self):
        return f"<dbmigrate.Connection {self._channel.origin} {self.user!r}>"

    def cursor(self):
        self._demand_open()
        return Cursor(self)

    def execute(self, sql, params=()):
        """Makes a cursor and executes a statement with it."""
        return self.cursor().execute(sql, params)

    def executemany(self, sql, rows):
        return self.cursor().executemany(sql, rows)

    def executescript(self, script):
        """Makes a cursor and executes a script with it."""
        return self.cursor().executescript(script)

    def batch(self, statements):
        """Sends statements at once, in one transaction, and returns a cursor for each.

        A statement is a text, or a pair of text and parameters. Reads see the writes before them.
        """
        self._demand_open()
        if self._queue:
            raise ProgrammingError("a batch is a transaction of its own: commit or roll back the queued statements")
        pairs = [(s, ()) if isinstance(s, str) else tuple(s) for s in statements]
        cursors = [Cursor(self) for _ in pairs]
        built = [_statement(sql, params) for sql, params in pairs]
        reading = all(_only_reads(sql) for sql, _ in pairs)
        if built:
            for cursor, result in zip(cursors, self._ask(built, reading)):
                cursor._take([result])
        return cursors

    def commit(self):
        """Sends the queued statements. All of them are applied, or none."""
        self._demand_open()
        if not self._queue:
            return
        queue = self._queue
        try:
            results = self._ask([statement for statement, _, _ in queue], reading=False)
        except TryAgain:
            raise  # nothing was written: the queue is kept, and commit() may be called again
        except BaseException:
            self._queue = []
            raise
        self._queue = []
        by_run = {}
        for (_, cursor, run), result in zip(queue, results):
            by_run.setdefault((id(cursor), run), (cursor, run, []))[2].append(result)
        for cursor, run, its in by_run.values():
            cursor._take(its, run)

    def rollback(self):
        """Forgets the queued statements. What was committed stays."""
        self._demand_open()
        self._queue = []

    def served_by(self):
        """Who serves the user: {"servedBy": "file" or "object" ..., "writable": ..., "route": ...}."""
        self._demand_open()
        return self._retrying(lambda: self._channel.ask("GET", self._path, None, reading=True))

    def close(self):
        """Ends the connection; what was queued is not sent."""
        self._closed, self._queue = True, []
        self._channel.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.commit()
        else:
            self.rollback()

    def _demand_open(self):
        if self._closed:
            raise InterfaceError("the connection is closed")

    def _ask(self, statements, reading):
        body = {"statements": statements, "mode": "read" if reading else "write", "counts": True}
        if self._scope != "hot":
            body["scope"] = self._scope
        path, data = self._path + "/query", json.dumps(body, ensure_ascii=True, allow_nan=False).encode()
        answer = self._retrying(lambda: self._channel.ask("POST", path, data, reading))
        self.side = answer.get("side")
        return answer["results"]

    def _retrying(self, ask):
        deadline, delay = time.monotonic() + self._retry_for, 0.1
        while True:
            try:
                return ask()
            except TryAgain:
                pause = delay * random.uniform(0.5, 1.0)
                if time.monotonic() + pause > deadline:
                    raise
                time.sleep(pause)
                delay = min(2 * delay, 1.0)


class Cursor:
    """The result of a statement, and the way to execute the next one."""

    arraysize = 1

    def __init__(self, connection):
        self.connection = connection
        self._run, self._closed = 0, False
        self._forget()

    def _forget(self):
        self.description, self.rowcount, self.lastrowid = None, -1, None
        self._pending, self._fetched, self._at = False, None, 0

    def execute(self, sql, params=()):
        self._begin()
        statement = _statement(sql, params)
        if _only_reads(sql):
            self._read(statement)
        else:
            self._write([statement])
        return self

    def executemany(self, sql, rows):
        self._begin()
        statements = [_statement(sql, params) for params in rows]
        if _only_reads(sql):
            raise ProgrammingError("executemany is for statements that write")
        if statements:
            self._write(statements)
        else:
            self.rowcount = 0
        return self

    def executescript(self, script):
        """Commits what is queued, as sqlite3 does, then sends all statements at once, in one transaction.

        All are applied, or none; sqlite3 keeps those before the first that fails. They take no parameters, their
        rows are not kept, and BEGIN and COMMIT among them are refused.
        """
        self._begin()
        self.connection.commit()
        self.connection.batch(list(_statements(script)))
        return self

    def _begin(self):
        self._demand_open()
        self._run += 1
        self._forget()

    def _read(self, statement):
        db = self.connection
        if db._queue:
            raise ProgrammingError(
                f"this read would not see the {len(db._queue)} queued statements: commit() or rollback() first, "
                "or send them together with batch()")
        self._take(db._ask([statement], reading=True))

    def _write(self, statements):
        db = self.connection
        if db.autocommit and not db._queue:
            self._take(db._ask(statements, reading=False))
            return
        self._pending = True
        db._queue.extend((statement, self, self._run) for statement in statements)

    def _take(self, results, run=None):
        """Takes the results of this cursor's statements, unless it was used for others since."""
        if run is not None and run != self._run:
            return
        last = results[-1]
        self._pending, self._at = False, 0
        columns = last["columns"]
        self.description = [(name, None, None, None, None, None, None) for name in columns] or None
        self._fetched = self._shape(columns, last["rows"]) if columns else None
        changed = sum(result.get("changes", 0) for result in results)
        wrote = any(result.get("changed") for result in results)
        self.rowcount = len(last["rows"]) if columns and not wrote else changed
        self.lastrowid = _value(last.get("lastRowId")) if wrote else None

    def _shape(self, columns, rows):
        if self.connection._rows is dict:
            if len(set(columns)) != len(columns):
                raise ProgrammingError(f"two columns have one name, and a dict keeps one of them: {columns}")
            return [dict(zip(columns, map(_value, row))) for row in rows]
        return [tuple(map(_value, row)) for row in rows]

    def _rest(self):
        self._demand_open()
        if self._pending:
            raise InterfaceError("the statement is queued: commit() sends it")
        if self._fetched is None:
            raise InterfaceError("the last statement has no rows")
        return self._fetched

    def fetchone(self):
        found = self.fetchmany(1)
        return found[0] if found else None

    def fetchmany(self, size=None):
        rows, begin = self._rest(), self._at
        self._at = min(len(rows), begin + (self.arraysize if size is None else size))
        return rows[begin:self._at]

    def fetchall(self):
        return self.fetchmany(len(self._rest()))

    def __iter__(self):
        return iter(self.fetchone, None)

    def setinputsizes(self, sizes):
        """Required by PEP 249; does nothing."""

    def setoutputsize(self, size, column=None):
        """Required by PEP 249; does nothing."""

    def close(self):
        self._closed = True

    def _demand_open(self):
        if self._closed:
            raise InterfaceError("the cursor is closed")
        self.connection._demand_open()


# Values.


def _statement(sql, params):
    if not isinstance(sql, str):
        raise ProgrammingError(f"a statement is a str, not {type(sql).__name__}")
    if isinstance(params, dict):
        given = {str(name): _param(value, name) for name, value in params.items()}
    elif isinstance(params, (str, bytes)):
        raise ProgrammingError("the parameters are a sequence or a dict: for one, write (value,)")
    else:
        given = [_param(value, position) for position, value in enumerate(params, 1)]
    return {"sql": _text(sql, "the statement"), "params": given}


def _param(value, name):
    where = f"parameter {name}"
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise DataError(f"{where}: the int does not fit 64 bits")
        return int(value) if abs(value) <= MAX_EXACT else {"int": str(int(value))}
    if isinstance(value, float):
        if math.isnan(value):
            raise DataError(f"{where}: SQLite has no NaN; give None")
        return {"real": repr(float(value)) if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"blob": base64.b64encode(bytes(value)).decode("ascii")}
    raise ProgrammingError(f"{where}: a {type(value).__name__} is no SQL value: give None, int, float, str or bytes")


def _text(value, where):
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise DataError(f"{where}: it holds a lone surrogate, which has no UTF-8 form") from None
    return str(value)


def _value(found):
    if not isinstance(found, dict):
        return found
    (form, text), = found.items()
    if form == "int":
        return int(text)
    if form == "real":
        return float(text)
    if form == "blob":
        return base64.b64decode(text, validate=True)
    raise InterfaceError(f"the service sent a value of an unknown form: {form}")


def _whole(text):
    """A whole number beyond 2**53 is a REAL: an INTEGER would have come as {"int": ...}."""
    number = int(text)
    return number if abs(number) <= MAX_EXACT else float(text)


_WORD = re.compile(
    r"""--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[A-Za-z_][\w$]*|[()=]""",
    re.S)
_READS, _WRITES = {"SELECT", "VALUES"}, {"INSERT", "UPDATE", "DELETE", "REPLACE"}


def _only_reads(sql):
    """Whether a statement looks like a read. If it writes all the same, the service refuses it (write-in-read)."""
    depth, first = 0, None
    for match in _WORD.finditer(sql):
        word = match.group().upper()
        if word.startswith(("--", "/*")):
            continue
        if first is None and word != "(":
            first = word
            if first not in ("WITH", "PRAGMA"):
                return first in _READS or first == "EXPLAIN"
        depth += (word == "(") - (word == ")")
        if first == "PRAGMA" and word == "=":
            return False
        if first == "WITH" and depth == 0 and word in _READS | _WRITES:
            return word in _READS
    return first is not None


def _statements(script):
    """The statements of a script. A semicolon in a text, a comment or a trigger ends none."""
    if not isinstance(script, str):
        raise ProgrammingError(f"a script is a str, not {type(script).__name__}")
    begin = 0
    for match in re.finditer(r";|\Z", script):
        statement = script[begin:match.end()]
        if match.group() and not sqlite3.complete_statement(statement):
            continue
        begin = match.end()
        if any(not word.startswith(("--", "/*")) for word in _WORD.findall(statement)):
            yield statement


# HTTP.


class _Channel:
    """One kept connection to the service. It follows no redirect: the token goes to this address only."""

    IDLE = 60.0

    def __init__(self, url, token, timeout, ssl_context, allow_http):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise InterfaceError("the URL is that of the service, such as https://users.example.com")
        if parts.username is not None or parts.password is not None:
            raise InterfaceError("the URL holds no credentials: give the token")
        if parts.scheme == "http" and not allow_http and not _is_local(parts.hostname):
            raise InterfaceError("http: would send the token in the clear: use https:, or allow_http=True")
        # http.client would show a token with a line break in its error.
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise InterfaceError("the token is empty, or holds white space or characters that no header carries")
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self._ssl = (ssl_context or ssl.create_default_context()) if parts.scheme == "https" else None
        self.origin = f"{parts.scheme}://{parts.netloc}{self._prefix}"
        self._token, self._timeout = token, timeout
        self._http, self._used = None, 0.0

    def close(self):
        if self._http is not None:
            self._http.close()
            self._http = None

    def ask(self, method, path, body, reading):
        """Sends one request once. TryAgain says that it had no effect."""
        self._open()
        try:
            status, content, retry = self._exchange(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._lost(reading, f"no answer from {self.origin}: {_reason(error)}") from error
        except BaseException:
            self.close()  # half an answer must not be read as the next one
            raise
        try:
            answer = json.loads(content, parse_int=_whole)
        except ValueError:
            answer = None
        if status == 200 and isinstance(answer, dict) and ("results" in answer or "servedBy" in answer):
            return answer
        raise self._refusal(status, answer, retry, reading)

    def _open(self):
        if self._http is not None and (time.monotonic() - self._used > self.IDLE or _is_readable(self._http.sock)):
            self.close()  # the other end has closed it: a write would seem lost
        if self._http is not None:
            return
        if self._ssl is None:
            made = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        else:
            made = http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=self._ssl)
        try:
            made.connect()
        except ssl.SSLCertVerificationError as error:
            raise OperationalError(f"{self.origin} is not trusted: {error.verify_message}") from error
        except OSError as error:
            raise TryAgain(f"cannot reach {self.origin}: {_reason(error)}; nothing was sent") from error
        self._http = made

    def _exchange(self, method, path, body):
        headers = {"Authorization": "Bearer " + self._token, "Accept": "application/json",
                   "User-Agent": "dbmigrate-python"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._http.request(method, self._prefix + path, body, headers)
        response = self._http.getresponse()
        content = response.read()
        self._used = time.monotonic()
        if response.will_close:
            self.close()
        return response.status, content, response.getheader("Retry-After")

    def _refusal(self, status, answer, retry, reading):
        error = answer.get("error") if isinstance(answer, dict) else None
        if not isinstance(error, dict) or not isinstance(error.get("kind"), str):
            return self._foreign(status, reading)
        kind, message = error["kind"], str(error.get("message"))
        made = _class_of(kind, message, retry is not None)
        return made(f"{kind}: {message}", kind, status, error.get("details"))

    def _foreign(self, status, reading):
        """Something else answered: a proxy, a firewall, a page of errors."""
        what = f"{self.origin} answered HTTP {status}, which is no answer of the service"
        if status >= 500 or status < 300:
            return self._lost(reading, what, status)
        return InterfaceError(what + ": look at the URL, and at what stands before the service", status=status)

    @staticmethod
    def _lost(reading, what, status=None):
        if reading:
            return TryAgain(what, status=status)
        return OutcomeUnknown(what + ": the write may have been applied or not; repeat it only with an idempotency "
                              "key", "outcome-unknown", status)


def _class_of(kind, message, again):
    if again:
        return TryAgain  # the service says so where nothing was written
    if kind == "sql-error" and _CONSTRAINT.search(message):
        return IntegrityError
    if kind == "sql-error" and _TOO_BIG.search(message):
        return DataError
    return _CLASSES.get(kind, DatabaseError)


def _segment(user):
    if not isinstance(user, str) or user in ("", ".", ".."):
        raise InterfaceError("the user is a str, and neither empty nor a folder")
    return urllib.parse.quote(_text(user, "the user"), safe="")


def _reason(error):
    return str(error) or type(error).__name__


def _is_local(host):
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_readable(sock):
    if sock is None:
        return True
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])


# Of PEP 249. SQLite has no type of dates: they are texts that sort.

STRING, BINARY, NUMBER, DATETIME, ROWID = str, bytes, float, str, int
Binary = bytes


def Date(year, month, day):
    return f"{year:04d}-{month:02d}-{day:02d}"


def Time(hour, minute, second):
    return f"{hour:02d}:{minute:02d}:{second:02d}"


def Timestamp(year, month, day, hour, minute, second):
    return Date(year, month, day) + " " + Time(hour, minute, second)


def DateFromTicks(ticks):
    return Date(*time.gmtime(ticks)[:3])


def TimeFromTicks(ticks):
    return Time(*time.gmtime(ticks)[3:6])


def TimestampFromTicks(ticks):
    return Timestamp(*time.gmtime(ticks)[:6])


for _name in ("Warning", "Error", "InterfaceError", "DatabaseError", "DataError", "OperationalError",
              "IntegrityError", "InternalError", "ProgrammingError", "NotSupportedError"):
    setattr(Connection, _name, globals()[_name])
