#!/usr/bin/env python3
"""Counts messages for chaperone and reports the counts by HTTP. Standard library only.

Copy the class Recorder into your program; docs/clients.md explains the rules it follows.
Run as a program it sends imaginary messages and reports them:

    python3 recorder.py --address http://localhost:9000 --topic demo --messages 1000
"""
import argparse
import datetime
import gzip
import json
import math
import os
import random
import re
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

TIME_HEADER = "chaperone-time"  # the event time, Unix milliseconds in decimal digits
CLOUD_TIME_HEADER = "ce_time"   # that of CloudEvents, RFC 3339
BATCH = 500         # records of a report
PENDING = 10_000    # windows of a topic that may wait to be reported
QUIET_ROUNDS = 6    # rounds after which a topic in which nothing happens is spoken of
PAST_MS, FUTURE_MS = 7 * 86_400_000, 3_600_000  # event times further off are not believed


def _text(value):
    return value.decode(errors="replace") if isinstance(value, (bytes, bytearray)) else str(value)


def _milliseconds(value):
    """What TIME_HEADER says, or None. int alone would take more than the other tiers do, such as 1_0."""
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", _text(value)):
        return None
    ms = int(_text(value))
    return ms if -1 << 63 <= ms < 1 << 63 else None


def _rfc3339(value):
    """What CLOUD_TIME_HEADER says, in Unix milliseconds, or None."""
    m = re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?(Z|[+-][0-9]{2}:[0-9]{2})", _text(value))
    if not m:
        return None
    try:
        at = datetime.datetime.fromisoformat(m[1] + m[3].replace("Z", "+00:00"))
        since = at - datetime.datetime.fromtimestamp(0, datetime.timezone.utc)
    except (ValueError, OverflowError):
        return None
    return since // datetime.timedelta(milliseconds=1) + int((m[2] or "")[:3].ljust(3, "0"))


class Counts:
    """All that has passed in a window so far, in one segment."""

    def __init__(self):
        self.attempts = self.successes = self.failures = self.bytes = self.out_of_bounds = 0
        self.latency_sum = self.latency_max = self.negative = self.negative_max = 0
        self.bins = {}
        self.changes = self.said = 0  # how often it changed, and as of which change it is acknowledged


class Topic:
    def __init__(self):
        self.segment, self.windows = 0, {}  # (segment, start) -> Counts
        self.attempts = self.successes = self.failures = 0
        self.greeted, self.records = False, 0  # windows of which a record was acknowledged
        self.progress, self.acknowledged, self.quiet = 0, 0, 0


class Recorder:
    """Its methods may be called from any thread, and none but close waits for I/O."""

    def __init__(self, address, tier, datacenter="", token="", every=10.0, window=600, held=16, on_error=print):
        self.url, self.token = address.rstrip("/") + "/api/v1/audit", token
        self.tier, self.datacenter, self.every, self.window, self.held = tier, datacenter, every, window, held
        self.host, self.on_error = socket.gethostname(), on_error
        # Unique for ever: a name that comes again would go on with the counts of another.
        self.instance = f"{self.host}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.started, self.round, self.uncounted, self.topics = int(time.time() * 1000), 0, 0, {}
        self.lock, self.ending = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stamp(self, headers):
        """The event time of a message, from its headers, to which it is added if it is not there.

        A header that says no time is as good as none: it must not keep the message from being sent.
        """
        ms = _milliseconds(headers.get(TIME_HEADER))
        if ms is None:
            ms = _rfc3339(headers.get(CLOUD_TIME_HEADER))
        if ms is None:
            ms = int(time.time() * 1000)
            headers[TIME_HEADER] = str(ms).encode()
        return ms

    def attempt(self, topic, ms):
        """A message is about to be sent."""
        self._count(topic, ms, attempts=1)

    def success(self, topic, ms, size):
        """It was acknowledged. size is that of key and value together."""
        self._count(topic, ms, successes=1, size=size)

    def failure(self, topic, ms):
        """It was given up."""
        self._count(topic, ms, failures=1)

    def close(self, timeout=30.0):
        """Reports everything and says goodbye; False if that could not be done."""
        self.ending.set()
        self.thread.join()
        until = time.monotonic() + timeout
        while not self._try(self._finish):
            if time.monotonic() > until:
                return False
            time.sleep(0.5)
        return self.uncounted == 0

    def _finish(self):
        self._report()
        if self.uncounted == 0:
            self._post([(self._greeting(n, t, "goodbye"), lambda: None) for n, t in self.topics.items()])

    def _count(self, topic, ms, attempts=0, successes=0, failures=0, size=0):
        now = int(time.time() * 1000)
        believed = now - PAST_MS <= ms <= now + FUTURE_MS
        start = (ms if believed else now) // 1000 // self.window * self.window
        with self.lock:
            t = self.topics.setdefault(topic, Topic())
            c = t.windows.get((t.segment, start))
            if c is None:
                if sum(segment == t.segment for segment, _ in t.windows) >= self.held:
                    # Give memory up: what is acknowledged can go, because what may come of the
                    # same window counts in the next segment, beside it.
                    t.segment += 1
                    t.windows = {k: old for k, old in t.windows.items() if old.changes > old.said}
                    while len(t.windows) > PENDING:  # nobody takes reports: the oldest go, and that is said
                        self.uncounted += t.windows.pop(next(iter(t.windows))).successes
                c = t.windows[t.segment, start] = Counts()
            for counted in (t, c):
                counted.attempts += attempts
                counted.successes += successes
                counted.failures += failures
            c.changes += 1
            if not successes:
                return
            c.bytes += size
            if not believed:
                c.out_of_bounds += 1
            elif now < ms:
                c.negative, c.negative_max = c.negative + 1, max(c.negative_max, ms - now)
            else:
                late = now - ms
                b = -1 if late == 0 else min(1200, math.ceil(math.log(late) / math.log(1.02)))
                c.bins[b] = c.bins.get(b, 0) + 1
                c.latency_sum, c.latency_max = c.latency_sum + late, max(c.latency_max, late)

    def _run(self):
        while not self.ending.wait(self.every):
            self._try(self._report)

    def _try(self, do):
        try:
            do()
            return True
        except Exception as e:  # said, and tried again in the next round, with all that has come since
            self.on_error(f"chaperone: {e}")
            return False

    def _report(self):
        """One round: first what was counted, then, when all of that has arrived, how far."""
        self.round += 1
        with self.lock:
            as_of, due, how_far = int(time.time() * 1000), [], []
            for n, t in self.topics.items():
                if not t.greeted:
                    due.append((self._greeting(n, t, "hello"), lambda t=t: setattr(t, "greeted", True)))
                due += [(self._window(n, k, c), lambda t=t, k=k, c=c, changes=c.changes: self._arrived(t, k, c, changes))
                        for k, c in t.windows.items() if c.changes > c.said]
                how_far.append((n, t, as_of, t.segment, t.attempts, t.successes, t.failures))
        self._post(due)
        due = []
        for n, t, *totals in how_far:
            t.quiet += 1
            if t.quiet >= QUIET_ROUNDS:
                t.progress += 1
                due.append((self._progress(n, t, *totals), lambda t=t: vars(t).update(acknowledged=t.progress, quiet=0)))
        self._post(due)

    def _arrived(self, t, key, c, changes):
        t.records += c.said == 0
        c.said, t.quiet = changes, QUIET_ROUNDS  # say how far
        if key[0] < t.segment and c.changes == c.said:
            t.windows.pop(key, None)

    def _head(self, topic, kind, version, **client):
        return {"v": 1, "kind": kind, "topicName": topic, "tier": self.tier, "datacenter": self.datacenter, "hostname": self.host,
                "instance": self.instance, "owner": self.instance, "version": version, "client": dict(client, started=self.started)}

    def _window(self, topic, key, c):
        r = self._head(topic, "window", self.round, attempts=c.attempts, successes=c.successes, failures=c.failures)
        r |= {"segment": key[0], "timeBeginInSec": key[1], "timeEndInSec": key[1] + self.window, "count": c.successes, "totalBytes": c.bytes,
              "outOfBoundsCount": c.out_of_bounds, "negativeLatencyCount": c.negative, "negativeLatencyMax": c.negative_max,
              "timeBasis": "header", "latencyBasis": "clock"}
        if c.bins:
            r |= {"latencySum": c.latency_sum, "maxLatency": c.latency_max, "latencyBins": dict(c.bins)}
        return r

    def _greeting(self, topic, t, kind):
        r = self._head(topic, kind, self.round, attempts=t.attempts, successes=t.successes, failures=t.failures, records=t.records)
        if kind == "hello":
            r["client"] = {"started": self.started, "every": self._silence()}
        return r

    def _progress(self, topic, t, as_of, segment, attempts, successes, failures):
        r = self._head(topic, "progress", t.progress, attempts=attempts, successes=successes, failures=failures,
                       records=t.records, uncounted=self.uncounted, every=self._silence())
        r["progress"] = {"askedAfter": t.acknowledged, "sources": [
            {"partition": -1, "segment": segment, "next": self.round, "total": successes, "time": as_of, "caughtUp": "yes"}]}
        return r

    def _silence(self):
        return int(QUIET_ROUNDS * self.every * 1000)

    def _post(self, due):
        """Posts records, each with what is to be done when it has arrived."""
        for i in range(0, len(due), BATCH):
            batch = due[i:i + BATCH]
            body = gzip.compress("\n".join(json.dumps(record) for record, _ in batch).encode())
            headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
            if self.token:
                headers["Authorization"] = "Bearer " + self.token
            try:
                with urllib.request.urlopen(urllib.request.Request(self.url, body, headers), timeout=30) as resp:
                    answer = json.loads(resp.read(1 << 18))
            except urllib.error.HTTPError as e:
                raise RuntimeError(f"{e.code} {e.reason}: {e.read(2000).decode(errors='replace')}") from None
            if answer.get("accepted") != len(batch):
                raise RuntimeError(f"not all of {len(batch)} records are accepted: {answer}")
            with self.lock:
                for _, arrived in batch:
                    arrived()


def main():
    p = argparse.ArgumentParser(description="sends imaginary messages, and reports them to chaperone")
    p.add_argument("--address", default="http://localhost:9000")
    p.add_argument("--token", default=os.environ.get("CHAPERONE_TOKEN", ""))
    p.add_argument("--topic", default="demo")
    p.add_argument("--messages", type=int, default=1000)
    p.add_argument("--spread", type=int, default=30, help="minutes over which their event times lie")
    p.add_argument("--held", type=int, default=16, help="windows that are held")
    a = p.parse_args()
    errors = []
    r = Recorder(a.address, "python", token=a.token, every=0.2, held=a.held, on_error=errors.append)
    sent = 0
    for n in range(a.messages):
        headers = {TIME_HEADER: str(int(time.time() * 1000) - random.randrange(a.spread * 60_000)).encode()}
        ms = r.stamp(headers)
        r.attempt(a.topic, ms)
        if n % 100 == 99:  # here a Kafka client would say what became of it
            r.failure(a.topic, ms)
        else:
            r.success(a.topic, ms, 100)
            sent += 1
        if n % 500 == 0:
            time.sleep(0.1)
    closed = r.close()
    print(*errors, sep="\n", end="\n" if errors else "", file=sys.stderr)
    print(json.dumps({"instance": r.instance, "attempts": a.messages, "successes": sent, "bytes": 100 * sent, "closed": closed}))
    return 0 if closed else 1


if __name__ == "__main__":
    sys.exit(main())
