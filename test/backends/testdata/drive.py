"""Writes as a backend does, from several threads for each user, until standard input ends. Says what became of it.

drive.py USERS MODULE...: every module is a step of examples/python, with a Scores of its own.
"""

import collections
import importlib
import itertools
import json
import sys
import threading

import dbmigrate

THREADS = 2  # for each user and module

numbers, done, guard = itertools.count(), threading.Event(), threading.Lock()
acknowledged = collections.defaultdict(list)
told = collections.Counter()
errors = collections.Counter()


def work(name, scores, user):
    while not done.is_set():
        with guard:
            n = next(numbers)
        try:
            scores.add(user, n)
        except dbmigrate.OutcomeUnknown:
            what = "unknown"
        except Exception as error:  # every other one says that nothing was written
            what = "refused"
            with guard:
                errors[f"{name}: {type(error).__name__}: {error}"[:300]] += 1
        else:
            what = "acknowledged"
            with guard:
                acknowledged[user].append(n)
        with guard:
            told[f"{name} {what}"] += 1
        done.wait(0.02)


def main(users, modules):
    threads = []
    for module in modules:
        scores = importlib.import_module(module).Scores()
        threads += [threading.Thread(target=work, args=(module, scores, user)) for user in users for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    print("working", flush=True)
    sys.stdin.read()
    done.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"acknowledged": acknowledged, "told": told, "errors": errors}))


main(sys.argv[1].split(","), sys.argv[2:])
