"""What all steps share while users' databases are files: settings, and SQLite over the bytes of a file."""

import contextlib
import os
import sqlite3
import tempfile
import threading

from bucket import Bucket


SCHEMA = "CREATE TABLE IF NOT EXISTS entries(id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER NOT NULL UNIQUE)"


def settings_bucket():
    return Bucket(os.environ["AWS_ENDPOINT_URL_S3"], os.environ["DBMIGRATE_BUCKET"],
                  os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])


def key_of(user):
    return f"{user}/database.sqlite"


def changed(content, work):
    """Does the work on a copy of the file, in one transaction, and returns the file as it is then."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "database.sqlite")
        with open(path, "wb") as file:
            file.write(content)
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            work(db)
        with open(path, "rb") as file:
            return file.read()


class Locks:
    """One lock for each user: two requests of one user take turns, within this process."""

    def __init__(self):
        self._guard, self._locks = threading.Lock(), {}

    def of(self, user):
        with self._guard:
            return self._locks.setdefault(user, threading.Lock())
