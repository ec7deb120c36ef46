"""Compares a user's database with Python's own SQLite: the same statements, the same values of the same types.

values.py USER SEED SIDE
"""

import math
import os
import random
import sqlite3
import sys

import dbmigrate

EDGES = [
    None, 0, 1, -1, 2**31, 2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63),
    0.0, -0.0, 5.0, -5.0, 0.1, 1e15, 1e16, 9007199254740993.0, 1e21, 1e300, 5e-324, sys.float_info.max, math.inf, -math.inf,
    "", "a", "5", "5.0", "é", "\U0001f600", "a\0b", "'\"\\\n\r\t\u2028", "x" * 10_000,
    b"", b"\0", b"\xff\xfe\0", bytes(range(256)), b"5",
]


def some(rng):
    kind = rng.randrange(5)
    if kind == 0:
        return rng.getrandbits(64) - 2**63 >> rng.randrange(64)
    if kind == 1:
        return math.ldexp(rng.uniform(-1, 1), rng.randrange(-1000, 1000))
    if kind == 2:
        return float(rng.getrandbits(60) >> rng.randrange(60))
    if kind == 3:
        return "".join(chr(rng.choice([rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)])) for _ in range(rng.randrange(20)))
    return rng.randbytes(rng.randrange(50))


def row(value):
    """SQLite's versions write a REAL differently into TEXT, so a TEXT column gets none."""
    return value, value, value, None if isinstance(value, float) else value, value


def exact(rows):
    return [tuple((type(value), repr(value)) for value in row) for row in rows]


def main(user, seed, side):
    rng = random.Random(int(seed))
    values = EDGES + [some(rng) for _ in range(200)]
    here = sqlite3.connect(":memory:")
    there = dbmigrate.connect(os.environ["SERVICE_URL"], os.environ["SERVICE_TOKEN"], user)
    for db in (here, there):
        cursor = db.cursor()
        cursor.executescript("""
            DROP TABLE IF EXISTS v; -- of another seed;
            CREATE TABLE v(id INTEGER PRIMARY KEY, plain, i INTEGER, r REAL, t TEXT, b BLOB);""")
        cursor.executemany("INSERT INTO v(plain, i, r, t, b) VALUES (?, ?, ?, ?, ?)", [row(value) for value in values])
        cursor.execute("INSERT INTO v(plain) VALUES (:v)", {"v": 5.0})
        db.commit()
        assert cursor.rowcount == 1, cursor.rowcount
        assert cursor.lastrowid == len(values) + 1, cursor.lastrowid
    compared = 0
    for sql in ("SELECT * FROM v ORDER BY id", "SELECT plain, typeof(plain), typeof(i), typeof(r), typeof(t) FROM v ORDER BY id",
                "SELECT count(*), sum(i), max(r), group_concat(hex(b)) FROM v WHERE typeof(b) = 'integer' AND b BETWEEN -1000 AND 1000",
                "SELECT 5.0, 5, '5', x'05', NULL, 9223372036854775807, -0.0, 1e999"):
        mine, theirs = here.execute(sql).fetchall(), there.execute(sql).fetchall()
        assert [c[0] for c in here.execute(sql).description] == [c[0] for c in there.execute(sql).description]
        assert exact(mine) == exact(theirs), next((a, b) for a, b in zip(exact(mine), exact(theirs)) if a != b)
        compared += sum(map(len, mine))
    for value in values:
        sent, = there.execute("SELECT ?", (value,)).fetchone()
        assert exact([(value,)]) == exact([(sent,)]), (value, sent)
    for sql, params in (("INSERT INTO v(id) VALUES (1)", ()), ("SELECT * FROM nothing", ()), ("SELEC", ())):
        kinds = []
        for db, module in ((here, sqlite3), (there, dbmigrate)):
            try:
                db.execute(sql, params)
                db.commit()
            except module.IntegrityError:
                kinds.append("IntegrityError")
            except (module.OperationalError, module.ProgrammingError):
                kinds.append("of the statement")
            db.rollback()
        assert kinds[0] == kinds[1] and len(kinds) == 2, (sql, kinds)
    with dbmigrate.connect(os.environ["SERVICE_URL"], os.environ["SERVICE_TOKEN"], user, rows=dict) as db:
        assert db.execute("SELECT id, r FROM v WHERE id = 1").fetchall() == [{"id": 1, "r": None}]
        done, count = db.batch([("INSERT INTO v(plain) VALUES (?)", (b"x",)), "SELECT count(*) AS n FROM v"])
        assert (done.rowcount, count.fetchall()) == (1, [{"n": len(values) + 2}])
    assert there.side == side, there.side
    print(f"{compared + len(values)} values are the same on the side {there.side}")


main(*sys.argv[1:])
