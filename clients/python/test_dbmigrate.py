"""What the client does with every kind of answer, and with none. Needs no service: python3 -m unittest"""

import contextlib
import json
import math
import socket
import threading
import time
import unittest

import dbmigrate

TOKEN = "token-of-a-backend-0123456789-0123456789"
ROW = {"results": [{"columns": ["a"], "rows": [[1]], "rowsRead": 1, "rowsWritten": 0, "changed": False}], "side": "file"}
DONE = {"results": [{"columns": [], "rows": [], "changed": True, "changes": 1, "lastRowId": 7}], "side": "store"}
READ, WRITE = "SELECT a FROM t", "INSERT INTO t VALUES (1)"
KINDS = {
    "unauthorized": 401, "closed": 503, "set-back": 503, "too-large": 413, "too-costly": 422, "sql-error": 400,
    "write-in-read": 400, "bad-request": 400, "integer-precision": 400, "not-split": 409, "internal": 500,
    "split-conflict": 409, "not-found": 404, "method-not-allowed": 405, "unsupported-media-type": 415, "outcome-unknown": 502,
    "new-kind": 418,
}
WAITS = {"cutover-in-progress": 503, "overloaded": 503, "file-missing": 503}


def http(status, body, headers=""):
    content = body if isinstance(body, str) else json.dumps(body)
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(content.encode())}\r\n{headers}\r\n{content}".encode()


def refusal(kind, message="because"):
    status = KINDS.get(kind) or WAITS[kind]
    return http(status, {"error": {"kind": kind, "message": message}}, "Retry-After: 1\r\n" if kind in WAITS else "")


CLOSE, HANG, RESET_BEFORE_READING = "close", "hang", "reset"


class Server:
    """Gives the scripted answers, one for each request; the last one for ever."""

    def __init__(self, *answers):
        self.answers, self.requests, self.connections = list(answers), [], 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                self.open.append(connection)
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            while True:
                first = lines.readline()
                if not first:
                    return
                headers = {}
                for line in iter(lines.readline, b"\r\n"):
                    name, _, value = line.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                body = lines.read(int(headers.get("content-length", 0)))
                self.requests.append((first.decode().split()[:2], headers, json.loads(body) if body else None))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer == CLOSE:
                    return
                if answer == HANG:
                    time.sleep(60)
                connection.sendall(answer)
                if b"Connection: close" in answer:
                    return

    def close(self):
        self.listener.close()
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Case(unittest.TestCase):
    def serve(self, *answers):
        server = Server(*answers)
        self.addCleanup(server.close)
        return server

    def connect(self, server, **options):
        options = {"retry_for": 5, "timeout": 5, "autocommit": True, **options}
        db = dbmigrate.connect(server.url, TOKEN, "a b/ü", **options)
        self.addCleanup(db.close)
        return db


class Refusals(Case):
    def test_every_kind_has_its_class_and_is_sent_once(self):
        for kind in KINDS:
            for sql in (READ, WRITE):
                with self.subTest(kind=kind, sql=sql):
                    server = self.serve(refusal(kind))
                    with self.assertRaises(dbmigrate.Error) as raised:
                        self.connect(server).execute(sql)
                    error = raised.exception
                    self.assertEqual((error.kind, error.status), (kind, KINDS[kind]))
                    self.assertIs(type(error), dbmigrate._CLASSES.get(kind, dbmigrate.DatabaseError))
                    self.assertNotIsInstance(error, dbmigrate.TryAgain)
                    self.assertEqual(len(server.requests), 1)

    def test_what_was_not_written_is_repeated(self):
        for kind in WAITS:
            for sql, answer in ((READ, ROW), (WRITE, DONE)):
                with self.subTest(kind=kind, sql=sql):
                    server = self.serve(refusal(kind), refusal(kind), http(200, answer))
                    self.connect(server).execute(sql)
                    self.assertEqual(len(server.requests), 3)
                    self.assertEqual(len({json.dumps(body) for _, _, body in server.requests}), 1)

    def test_repeating_ends(self):
        server = self.serve(refusal("cutover-in-progress"))
        with self.assertRaises(dbmigrate.TryAgain) as raised:
            self.connect(server, retry_for=0.3).execute(WRITE)
        self.assertEqual(raised.exception.kind, "cutover-in-progress")
        self.assertGreater(len(server.requests), 1)
        server = self.serve(refusal("cutover-in-progress"))
        with self.assertRaises(dbmigrate.TryAgain):
            self.connect(server, retry_for=0).execute(WRITE)
        self.assertEqual(len(server.requests), 1)

    def test_sql_errors_by_their_text(self):
        for message, expected in (("UNIQUE constraint failed: t.a", dbmigrate.IntegrityError),
                                  ("FOREIGN KEY constraint failed", dbmigrate.IntegrityError),
                                  ("datatype mismatch", dbmigrate.IntegrityError),
                                  ("string or blob too big", dbmigrate.DataError),
                                  ("no such table: t", dbmigrate.ProgrammingError)):
            with self.assertRaises(expected):
                self.connect(self.serve(refusal("sql-error", message))).execute(WRITE)

    def test_all_are_of_the_dbapi(self):
        for found in (dbmigrate.TryAgain, dbmigrate.OutcomeUnknown):
            self.assertTrue(issubclass(found, dbmigrate.OperationalError))
        self.assertFalse(issubclass(dbmigrate.OutcomeUnknown, dbmigrate.TryAgain))
        self.assertIs(dbmigrate.Connection.IntegrityError, dbmigrate.IntegrityError)


class Lost(Case):
    """An answer that is lost: a read is repeated, a write never."""

    AMBIGUOUS = {
        "closed without an answer": CLOSE,
        "half an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\nConnection: close\r\n\r\n{",
        "no HTTP": b"SSH-2.0-OpenSSH\r\nConnection: close\r\n",
        "a page of a proxy": http(502, "<html>Bad gateway</html>"),
        "an error code of the edge": http(500, "error code: 1101"),
        "503 of something else": http(503, "try later", "Retry-After: 1\r\n"),
        "200 with a page": http(200, "<html>Sign in</html>"),
        "200 with other JSON": http(200, {"ok": True}),
        "200 with a list": http(200, [1]),
        "an error without a kind": http(500, {"error": {"message": "x"}}),
    }

    def test_a_write_is_never_repeated(self):
        for name, answer in self.AMBIGUOUS.items():
            with self.subTest(name):
                server = self.serve(answer, http(200, DONE))
                with self.assertRaises(dbmigrate.OutcomeUnknown):
                    self.connect(server).execute(WRITE)
                self.assertEqual(len(server.requests), 1)

    def test_a_read_is_repeated(self):
        for name, answer in self.AMBIGUOUS.items():
            with self.subTest(name):
                server = self.serve(answer, http(200, ROW))
                self.assertEqual(self.connect(server).execute(READ).fetchall(), [(1,)])

    def test_timeouts(self):
        server = self.serve(HANG)
        with self.assertRaises(dbmigrate.OutcomeUnknown):
            self.connect(server, timeout=0.2).execute(WRITE)
        self.assertEqual(len(server.requests), 1)
        server = self.serve(HANG, http(200, ROW))
        self.assertEqual(self.connect(server, timeout=0.2).execute(READ).fetchone(), (1,))

    def test_a_refusal_of_something_else_is_final(self):
        for status in (301, 307, 400, 403, 404, 429):
            for sql in (READ, WRITE):
                server = self.serve(http(status, "no", "Location: http://127.0.0.1:1/\r\n"))
                with self.assertRaises(dbmigrate.InterfaceError):
                    self.connect(server).execute(sql)
                self.assertEqual(len(server.requests), 1)

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as gone:
            url = "http://127.0.0.1:%d" % gone.getsockname()[1]
        for sql in (READ, WRITE):
            with self.assertRaises(dbmigrate.TryAgain):
                dbmigrate.connect(url, TOKEN, "u", autocommit=True, retry_for=0.2).execute(sql)

    def test_a_connection_that_was_closed_while_idle_loses_nothing(self):
        server = self.serve(http(200, DONE, "X: Connection: close\r\n"))
        db = self.connect(server)
        for _ in range(5):
            db.execute(WRITE)
            time.sleep(0.05)
        self.assertEqual((len(server.requests), server.connections), (5, 5))

    def test_a_connection_is_kept(self):
        server = self.serve(http(200, DONE))
        db = self.connect(server)
        for _ in range(5):
            db.execute(WRITE)
        self.assertEqual((len(server.requests), server.connections), (5, 1))


class Transactions(Case):
    def test_commit_sends_all_at_once(self):
        two = {"results": DONE["results"] * 2, "side": "store"}
        server = self.serve(http(200, two))
        db = self.connect(server, autocommit=False)
        cursor = db.execute(WRITE)
        with self.assertRaises(dbmigrate.InterfaceError):
            cursor.fetchall()
        db.execute("UPDATE t SET a = :a", {"a": 2})
        self.assertEqual((server.requests, cursor.rowcount), ([], -1))
        db.commit()
        (method, path), headers, body = server.requests[0]
        self.assertEqual((method, path), ("POST", "/api/users/a%20b%2F%C3%BC/query"))
        self.assertEqual(headers["authorization"], "Bearer " + TOKEN)
        self.assertEqual(body, {"mode": "write", "counts": True, "statements": [
            {"sql": WRITE, "params": []}, {"sql": "UPDATE t SET a = :a", "params": {"a": 2}}]})
        self.assertEqual((cursor.rowcount, cursor.lastrowid, db.side), (1, 7, "store"))
        db.commit()
        self.assertEqual(len(server.requests), 1)

    def test_executemany_counts_all(self):
        server = self.serve(http(200, {"results": DONE["results"] * 3, "side": "file"}))
        db = self.connect(server, autocommit=False)
        cursor = db.executemany("INSERT INTO t VALUES (?)", [(1,), (2,), (3,)])
        db.commit()
        self.assertEqual(cursor.rowcount, 3)
        self.assertEqual(db.executemany("INSERT INTO t VALUES (?)", []).rowcount, 0)
        with self.assertRaises(dbmigrate.ProgrammingError):
            db.executemany(READ, [()])

    def test_rollback_and_errors_forget(self):
        server = self.serve(refusal("sql-error"), http(200, DONE))
        db = self.connect(server, autocommit=False)
        db.execute(WRITE)
        db.rollback()
        db.commit()
        self.assertEqual(server.requests, [])
        with self.assertRaises(ValueError), db:
            db.execute(WRITE)
            raise ValueError
        self.assertEqual(server.requests, [])
        with self.assertRaises(dbmigrate.ProgrammingError), db:
            db.execute(WRITE)
        db.commit()
        self.assertEqual(len(server.requests), 1)

    def test_commit_may_be_called_again_if_nothing_was_written(self):
        server = self.serve(refusal("overloaded"), http(200, DONE))
        db = self.connect(server, autocommit=False, retry_for=0)
        db.execute(WRITE)
        with self.assertRaises(dbmigrate.TryAgain):
            db.commit()
        db.commit()
        self.assertEqual(len(server.requests), 2)

    def test_commit_is_not_called_again_for_an_unknown_outcome(self):
        for answer in (refusal("outcome-unknown"), CLOSE):
            server = self.serve(answer, http(200, DONE))
            db = self.connect(server, autocommit=False)
            db.execute(WRITE)
            with self.assertRaises(dbmigrate.OutcomeUnknown):
                db.commit()
            db.commit()
            self.assertEqual(len(server.requests), 1)

    def test_a_read_does_not_miss_what_is_queued(self):
        db = self.connect(self.serve(http(200, ROW)), autocommit=False)
        db.execute(WRITE)
        with self.assertRaises(dbmigrate.ProgrammingError):
            db.execute(READ)

    def test_executescript(self):
        trigger = "CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM t; SELECT ';'; END;"
        script = f"""
            -- tables; of the application
            CREATE TABLE t(a); ; /* ; */
            {trigger} INSERT INTO t VALUES ('it''s; --'), ("x;y") -- the last one;"""
        three = {"results": 3 * DONE["results"], "side": "store"}
        server = self.serve(http(200, DONE), http(200, three))
        db = self.connect(server, autocommit=False)
        db.execute(WRITE)
        cursor = db.executescript(script)
        queued, sent = [request[2]["statements"] for request in server.requests]
        self.assertEqual([s["sql"] for s in queued], [WRITE])
        shown = [s["sql"].strip().splitlines()[-1].strip() for s in sent]
        last = """INSERT INTO t VALUES ('it''s; --'), ("x;y") -- the last one;"""
        self.assertEqual(shown, ["CREATE TABLE t(a);", trigger, last])
        self.assertEqual((cursor.description, cursor.rowcount), (None, -1))
        db.executescript(" -- nothing;\n;")
        self.assertEqual(len(server.requests), 2)
        with self.assertRaises(dbmigrate.ProgrammingError):
            db.executescript(b"SELECT 1")

    def test_batch(self):
        server = self.serve(http(200, {"results": DONE["results"] + ROW["results"], "side": "file"}))
        done, row = self.connect(server).batch([(WRITE, ()), READ])
        self.assertEqual((done.rowcount, row.fetchall(), server.requests[0][2]["mode"]), (1, [(1,)], "write"))

    def test_a_cursor_that_is_used_again_keeps_the_later_result(self):
        first = {**DONE["results"][0], "changes": 5}
        server = self.serve(http(200, {"results": [first, *DONE["results"]], "side": "file"}))
        db = self.connect(server, autocommit=False)
        cursor = db.execute(WRITE)
        cursor.execute(WRITE)
        db.commit()
        self.assertEqual(cursor.rowcount, 1)

    def test_a_cursor_that_was_refused_since_has_no_result(self):
        db = self.connect(self.serve(http(200, DONE)), autocommit=False)
        cursor = db.execute(WRITE)
        with self.assertRaises(dbmigrate.ProgrammingError):
            cursor.execute(READ)
        db.commit()
        self.assertEqual((cursor.rowcount, cursor.lastrowid), (-1, None))

    def test_closed(self):
        db = self.connect(self.serve(http(200, ROW)))
        cursor = db.cursor()
        db.close()
        for use in (db.cursor, db.commit, db.rollback, db.served_by, lambda: cursor.execute(READ)):
            with self.assertRaises(dbmigrate.InterfaceError):
                use()


class Values(Case):
    def test_params(self):
        for given, sent in ((None, None), (True, True), (2**53, 2**53), (2**53 + 1, {"int": str(2**53 + 1)}),
                            (-(2**63), {"int": str(-(2**63))}), (5.0, {"real": "5.0"}), (-0.0, {"real": "-0.0"}),
                            (1e300, {"real": "1e+300"}), (math.inf, {"real": "Infinity"}), ("é\0", "é\0"),
                            (b"\0\xff", {"blob": "AP8="}), (bytearray(b"a"), {"blob": "YQ=="})):
            self.assertEqual(dbmigrate._param(given, 1), sent)
        for given in (2**63, -(2**63) - 1, math.nan, "\ud800"):
            with self.assertRaises(dbmigrate.DataError):
                dbmigrate._param(given, 1)
        for given in (1j, [], {}, object()):
            with self.assertRaises(dbmigrate.ProgrammingError):
                dbmigrate._param(given, 1)

    def test_results(self):
        text = ('{"results":[{"columns":["a"],"rows":[[9007199254740992],[9007199254740994],[1e+21],[1.5],'
                '[{"int":"9223372036854775807"}],[{"real":"5.0"}],[{"real":"-0"}],[{"real":"-Infinity"}],'
                '[{"blob":"AP8="}],["5"],[null]]}],"side":"file"}')
        rows = [row[0] for row in self.connect(self.serve(http(200, text))).execute(READ)]
        self.assertEqual([repr(row) for row in rows], [
            "9007199254740992", "9007199254740994.0", "1e+21", "1.5", "9223372036854775807", "5.0", "-0.0", "-inf",
            r"b'\x00\xff'", "'5'", "None"])

    def test_dicts(self):
        db = self.connect(self.serve(http(200, ROW)), rows=dict)
        self.assertEqual(db.execute(READ).fetchall(), [{"a": 1}])
        twice = {"results": [{"columns": ["a", "a"], "rows": [[1, 2]]}], "side": "file"}
        with self.assertRaises(dbmigrate.ProgrammingError):
            self.connect(self.serve(http(200, twice)), rows=dict).execute(READ)

    def test_fetching(self):
        many = {"results": [{"columns": ["a"], "rows": [[n] for n in range(5)]}], "side": "file"}
        cursor = self.connect(self.serve(http(200, many))).execute(READ)
        self.assertEqual((cursor.fetchone(), cursor.fetchmany(2), list(cursor), cursor.fetchone(), cursor.fetchall()),
                         ((0,), [(1,), (2,)], [(3,), (4,)], None, []))
        self.assertEqual((cursor.rowcount, cursor.description[0][0]), (5, "a"))


class ReadOrWrite(unittest.TestCase):
    def test_by_the_text(self):
        for sql in ("select 1", " -- insert\n/* delete */ SELECT 1", "(select 1)", "VALUES (1)", "explain delete from t",
                    "WITH a AS (SELECT 'delete') SELECT replace(x, 1, 2) FROM a", "PRAGMA table_info(t)",
                    "with a(x) as (select 1), b as (select 2) select * from a"):
            self.assertTrue(dbmigrate._only_reads(sql), sql)
        for sql in ("insert into t select 1", "WITH a AS (SELECT 1) DELETE FROM t", "replace into t values (1)", "",
                    "PRAGMA user_version = 5", "create table t(a)", "/* unfinished",
                    'with "select" as (select 1) insert into t select * from "select"'):
            self.assertFalse(dbmigrate._only_reads(sql), sql)


class Secrets(unittest.TestCase):
    def test_urls(self):
        for url in ("http://users.example.com", "ftp://a", "users.example.com", "https://", "https://a/?token=x",
                    "https://user:pass@a", "https://a#x", "http://10.0.0.1", "http://localhost.example.com"):
            with self.assertRaises(dbmigrate.InterfaceError):
                dbmigrate.connect(url, TOKEN, "u")
        for url in ("https://a", "https://a:8443/prefix/", "http://localhost:1", "http://127.0.0.1", "http://[::1]:1"):
            dbmigrate.connect(url, TOKEN, "u")
        dbmigrate.connect("http://users.internal", TOKEN, "u", allow_http=True)

    def test_tokens_are_in_no_text(self):
        for token in (None, "", " ", TOKEN + "\n", TOKEN + "\r\nX: y", TOKEN + "é", "a b", b"bytes"):
            with self.assertRaises(dbmigrate.InterfaceError) as raised:
                dbmigrate.connect("https://a", token, "u")
            self.assertNotIn(TOKEN, str(raised.exception))
        db = dbmigrate.connect("http://127.0.0.1:1", TOKEN, "u", retry_for=0)
        self.assertNotIn(TOKEN, repr(db))
        with self.assertRaises(dbmigrate.TryAgain) as raised:
            db.execute(READ)
        self.assertNotIn(TOKEN, str(raised.exception) + repr(raised.exception))

    def test_users(self):
        for user in ("", ".", "..", None, 1, b"u", "\ud800"):
            with self.assertRaises(dbmigrate.Error):
                dbmigrate.connect("https://a", TOKEN, user)


class Fences(unittest.TestCase):
    def test_marks(self):
        plain = b"SQLite format 3\0".ljust(100, b"\0")
        for mark, fenced in ((b"DMF1", True), (b"DMS1", True), (b"DMU1", False), (b"\0\0\0\0", False)):
            self.assertEqual(dbmigrate.is_fenced(plain[:72] + mark + plain[76:] + b"pages"), fenced)
        self.assertTrue(dbmigrate.is_fenced(b'dbmigrate tombstone 1\n{"lin":1}'))
        self.assertFalse(dbmigrate.is_fenced(b""))


if __name__ == "__main__":
    unittest.main()
