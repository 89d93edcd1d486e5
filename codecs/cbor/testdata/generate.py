"""Writes golden.json with the package cbor2 for Python.

    pip install cbor2
    cd codecs/cbor/testdata && python3 generate.py

It has documents and the time that the member ts of each was given, in milliseconds.
"""

import json
from datetime import datetime, timedelta, timezone

import cbor2

NOW = 1795285200123
EVERY = {
    "simple": [None, True, False, cbor2.undefined, cbor2.CBORSimpleValue(16), cbor2.CBORSimpleValue(255)],
    "numbers": [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1, 2**64, -1, -24, -25, -256, -257, -(2**64), -(2**64) - 1],
    "floats": [1.5, -0.0, 1e300, float("inf")],
    "texts": ["", "a" * 23, "a" * 24, "a" * 255, "a" * 256],
    "binaries": [b"", b"\xff" * 255, b"\xff" * 256],
    "arrays": [[], [1] * 23, [1] * 24, [1] * 256],
    "maps": [{}, {str(i): i for i in range(24)}, {i: "ts" for i in range(24)}],
    "tags": [cbor2.CBORTag(1000, "x"), cbor2.CBORTag(7000000, {"ts": 1})],
    "nested": {"ts": 1, "deep": [{"ts": 2}]},
}
documents = []


def add(name, want, ts, **options):
    for before in [{}, {k: EVERY[k] for k in ("simple", "tags", "nested")}]:
        for indefinite in [False, True]:
            value = cbor2.dumps({**before, "ts": ts, "after": 1}, indefinite_containers=indefinite, **options)
            documents.append({"name": name, "want": want, "hex": value.hex()})


add("seconds", 1795285200000, 1795285200)
add("milliseconds", NOW, NOW)
add("nanoseconds", NOW, NOW * 10**6 + 999999)
for n in [0, -1, -24, -25, -256, -257, -65536, -65537, -(2**32), -(2**32) - 1, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32]:
    add("number", n * 1000, n)
add("float", 1795285200125, 1795285200.125)
for x in [1.5, 65504.0, 2.0**-14, 2.0**-24, -2.0, 100000.5, 0.0]:
    add("short float", int(x * 1000 // 1), x, canonical=True)
add("text", NOW, "2026-11-21T18:20:00.123Z")
add("digits", NOW, str(NOW))
moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=NOW)
add("tag 0", NOW, moment)
add("tag 0 with a zone", NOW, moment.astimezone(timezone(timedelta(hours=2))))
add("tag 1, float", 1795285200125, moment.replace(microsecond=125000), datetime_as_timestamp=True)
add("tag 1, integer", 1795285200000, moment.replace(microsecond=0), datetime_as_timestamp=True)
for indefinite in [False, True]:
    documents.append({"name": "every format", "want": NOW, "hex": cbor2.dumps({**EVERY, "ts": NOW}, indefinite_containers=indefinite).hex()})
documents.append({"name": "self-described", "want": NOW, "hex": cbor2.dumps(cbor2.CBORTag(55799, {"ts": NOW})).hex()})

with open("golden.json", "w") as f:
    json.dump(documents, f, indent=1)
    f.write("\n")
