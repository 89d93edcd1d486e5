"""Produces messages of real shapes through librdkafka, and says what it produced.

Its argument is a file with the order, in JSON (type order in produce.go). It
prints "sent N" about every second, and at the end one line with what Kafka has
acknowledged: "tally" and rows of topic, partition, window, count, bytes,
no-time, malformed, out of bounds.

It knows the event time that it gave to a message, so the tally needs no decoder
of JSON; a recount of the log has to agree with it.
"""

import datetime
import json
import random
import sys
import time
from bisect import bisect

from confluent_kafka import Producer

CITIES = ["Berlin", "São Paulo", "東京", "Nairobi", "Pune", "New York"]
WORDS = 'leave it at the "side" door ring twice \\ path é ü then call "ts": 12 {not} [this]'.split()


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        order = json.load(f)
    run = Run(order)
    run.produce()
    print("tally", json.dumps(run.rows()), flush=True)


class Run:
    def __init__(self, order):
        self.order = order
        self.rng = random.Random(order["seed"])
        self.tally = {}
        self.failed = None
        self.topics = [Topic(t, self.rng) for t in order["topics"]]
        # Linger as applications have it: batches of some tens of messages.
        self.clients = [
            Producer({
                "bootstrap.servers": order["brokers"],
                "enable.idempotence": True,
                "compression.type": t.compression,
                "linger.ms": 20,
                "topic.metadata.refresh.interval.ms": 1000,
                "queue.buffering.max.messages": 100000,
            })
            for t in self.topics
        ]

    def produce(self):
        order, rng = self.order, self.rng
        bounds, total = [], 0
        for t in self.topics:
            total += t.weight
            bounds.append(total)
        n, rate = order["messages"], order["rate"]
        first, span = order["fromMs"], order["toMs"] - order["fromMs"]
        begin = said = time.monotonic()
        for i in range(n):
            which = bisect(bounds, rng.random() * total)
            # Record timestamps advance evenly; event times lie behind them.
            record = first + span * i // n
            behind = order["disorderMs"] if rng.random() < order["late"] else order["usualMs"]
            self.send(self.clients[which], self.topics[which], record, record - rng.randrange(behind + 1))
            if i % 200 == 0:
                for c in self.clients:
                    c.poll(0)
                if self.failed:
                    sys.exit(f"produce: {self.failed}")
                now = time.monotonic()
                if rate and (ahead := i / rate - (now - begin)) > 0:
                    time.sleep(ahead)
                if now - said > 1:
                    said = now
                    print("sent", i, flush=True)
        for c in self.clients:
            if c.flush(120) > 0:
                sys.exit("produce: messages not acknowledged within 2 minutes")
        if self.failed:
            sys.exit(f"produce: {self.failed}")

    def send(self, client, topic, record, event):
        key, value, event, kind = topic.message(self.rng, record, event)
        size = self.order["windowSeconds"]
        window = (record if event is None else event) // 1000 // size * size
        length = len(key or b"") + len(value or b"")

        def acknowledged(err, msg):
            if err:
                self.failed = err
                return
            row = self.tally.setdefault((topic.name, msg.partition(), window), [0] * 5)
            row[0] += 1
            row[1] += length
            if kind:
                row[kind] += 1

        while True:
            try:
                client.produce(topic.name, value, key, timestamp=record, on_delivery=acknowledged)
                return
            except BufferError:
                client.poll(0.1)

    def rows(self):
        return [[*place, *row] for place, row in sorted(self.tally.items())]


# Indices into a row of the tally.
TIMED, NO_TIME, MALFORMED, OUT_OF_BOUNDS = 0, 2, 3, 4


class Topic:
    def __init__(self, order, rng):
        self.name = order["name"]
        self.weight = order["weight"]
        self.compression = order["compression"]
        self.declared = order["declared"]
        self.fields = order["fields"]
        self.no_time, self.malformed, self.out_of_bounds = order["noTime"], order["malformed"], order["outOfBounds"]
        # What comes before and after the time, made once: making it anew for
        # each message would take longer than sending it.
        self.heads = [json.dumps(self.head(rng), ensure_ascii=i % 2 == 0)[1:-1] for i in range(500)]
        self.tails = [json.dumps(self.tail(rng), indent=1 if i % 10 == 0 else None)[1:-1] for i in range(500)]

    def head(self, rng):
        """Has members with the names of times that must not count."""
        also = {} if "ts" in self.fields else {"ts": 1000}
        return also | {
            "type": rng.choice(["requested", "accepted", "started", "completed", "cancelled"]),
            "city": rng.choice(CITIES),
            "rider": {"id": rng.randrange(10**6), self.fields[0]: rng.randrange(10**12), "rating": round(rng.uniform(1, 5), 2)},
            "route": [{"lat": rng.uniform(-90, 90), "lon": rng.uniform(-180, 180), "ts": i} for i in range(rng.randrange(3))],
            "note": " ".join(rng.choices(WORDS, k=rng.randrange(8))),
            "tsunami": None,
            "time stamp": 5,
        }

    def tail(self, rng):
        return {
            "fare": {"amount": rng.randrange(10**5) / 100, "currency": rng.choice(["EUR", "BRL", "JPY"]), "surge": rng.random() < 0.1},
            "device": {"os": rng.choice(["android", "ios"]), "version": f"{rng.randrange(9)}.{rng.randrange(20)}"},
            "tags": rng.sample(WORDS, k=rng.randrange(4)),
            # The first time is the one that counts.
            self.fields[-1]: 1000,
        }

    def message(self, rng, record, event):
        """Gives key, value, the event time in ms (None: there is none) and the kind."""
        key = None
        if rng.random() < 0.7:
            key = b"rider-%d" % rng.randrange(5000)
        begin = '{"event_id":"%016x",' % rng.getrandbits(64)
        head, tail = rng.choice(self.heads), rng.choice(self.tails)
        x = rng.random()
        if x < self.no_time:
            value = rng.choice([
                begin + head + "}",
                begin + head + ',"%s":null}' % rng.choice(self.fields),
                "{}",
                "",
                None,
            ])
            kind, event = NO_TIME, None
        elif x < self.no_time + self.malformed:
            cut = begin + head
            value = rng.choice([
                cut[:rng.randrange(1, len(cut))],
                begin + head + ',"%s":{"at":%d},' % (rng.choice(self.fields), event) + tail + "}",
                begin + head + ',"%s":"yesterday",' % rng.choice(self.fields) + tail + "}",
                "WARN connection reset by peer, retrying in 5 s",
                "[" + head.count(",") * "1," + "1]",
                b"\x00\x00\x00\x00\x07" + rng.randbytes(40),
            ])
            kind, event = (MALFORMED if self.declared else NO_TIME), None
        elif x < self.no_time + self.malformed + self.out_of_bounds:
            wrong = rng.choice([0, record - 30 * 86400_000, record + 2 * 3600_000])
            value = begin + head + ',"%s":%d,' % (rng.choice(self.fields), wrong) + tail + "}"
            kind, event = OUT_OF_BOUNDS, None
        else:
            text, event = written(rng, event)
            time = '"%s"%s%s,' % (rng.choice(self.fields), rng.choice([":", ": "]), text)
            if rng.random() < 0.3:
                value = begin + time + head + "," + tail + "}"
            else:
                value = begin + head + "," + time + tail + "}"
            kind = TIMED
        if isinstance(value, str):
            value = value.encode()
        if value is None and key is None:
            key = b"rider-0"  # a tombstone has a key
        return key, value, event, kind


def written(rng, ms):
    """Gives a time as JSON, in one of the forms that people use, and the ms that it says."""
    form = rng.randrange(10)
    if form < 4:
        return str(ms), ms
    if form == 4:
        return str(ms // 1000), ms // 1000 * 1000
    if form == 5:
        return "%d.%03d" % divmod(ms, 1000), ms
    if form == 6:
        return '"%d"' % ms, ms
    zone = datetime.timezone(datetime.timedelta(minutes=rng.choice([0, 60, -180, 330])))
    at = datetime.datetime.fromtimestamp(ms // 1000, zone)
    if form == 7:
        return '"%s"' % at.isoformat(), ms // 1000 * 1000
    return '"%s"' % at.replace(microsecond=ms % 1000 * 1000).isoformat(timespec="milliseconds").replace("+00:00", "Z"), ms


if __name__ == "__main__":
    main()
