"""For a backend that cannot look at the bytes of a file, such as one that mounts the bucket.

It asks the service where a user's requests go, and believes the answer for a while. The saves are conditional:
migrate --writers conditional --longest-request (the longest request, plus BELIEVE).
"""

import os
import sqlite3
import time

import dbmigrate
import step2_conditional
from step3_look_at_the_fence import add_through_service

BELIEVE = 2.0  # seconds


class Scores(step2_conditional.Scores):
    def __init__(self):
        super().__init__()
        self.routes = {}

    def add(self, user, points):
        if self.route(user) == "service":
            return add_through_service(user, points)
        try:
            return super().add(user, points)
        except sqlite3.OperationalError as error:
            if "readonly" not in str(error):
                raise
        self.routes.pop(user, None)  # the file was fenced since: ask again
        return self.add(user, points)

    def route(self, user):
        route, until = self.routes.get(user, (None, 0.0))
        if time.monotonic() < until:
            return route
        with dbmigrate.connect(os.environ["SERVICE_URL"], os.environ["SERVICE_TOKEN"], user) as db:
            route = db.served_by()["route"]
        self.routes[user] = route, time.monotonic() + BELIEVE
        return route
