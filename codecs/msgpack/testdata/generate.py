"""Writes golden.json with the package msgpack for Python.

    pip install msgpack
    cd codecs/msgpack/testdata && python3 generate.py

It has documents and the time that the member ts of each was given, in milliseconds.
"""

import json

import msgpack

NOW = 1795285200123
EVERY = {
    "nil": None,
    "bools": [True, False],
    "numbers": [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1, -1, -32, -33, -128, -129, -(2**15) - 1, -(2**31) - 1, -(2**63)],
    "floats": [1.5, -0.0, 1e300],
    "texts": ["", "a" * 31, "a" * 32, "a" * 255, "a" * 256],
    "binaries": [b"", b"\xc1" * 255, b"\xc1" * 256],
    "arrays": [[], [1] * 15, [1] * 16],
    "maps": [{}, {str(i): i for i in range(15)}, {str(i): i for i in range(16)}, {i: "ts" for i in range(20)}],
    "extensions": [msgpack.ExtType(5, b"\x00" * n) for n in [0, 1, 2, 3, 4, 8, 16, 17, 255, 256]],
    "nested": {"ts": 1, "deep": [{"ts": 2}]},
    "times": [msgpack.Timestamp(1, 1)],
}
documents = []


def add(name, want, ts, **options):
    for before in [{}, {k: EVERY[k] for k in EVERY if k in ("nil", "bools", "nested", "times")}]:
        documents.append({"name": name, "want": want, "hex": msgpack.packb({**before, "ts": ts, "after": 1}, **options).hex()})


add("seconds", 1795285200000, 1795285200)
add("milliseconds", NOW, NOW)
add("nanoseconds", NOW, NOW * 10**6 + 999999)
add("zero", 0, 0)
for n in [-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1]:
    add("negative", n * 1000, n)
for n in [127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32]:
    add("positive", n * 1000, n)
add("float", 1795285200125, 1795285200.125)
add("single float", 1795285248000, 1795285200.0, use_single_float=True)
add("text", NOW, "2026-11-21T18:20:00.123Z")
add("digits", NOW, str(NOW))
add("timestamp 32", 1795285200000, msgpack.Timestamp(1795285200, 0))
add("timestamp 64", NOW, msgpack.Timestamp(1795285200, 123999999))
add("timestamp 64, latest", (2**34 - 1) * 1000 + 999, msgpack.Timestamp(2**34 - 1, 999999999))
add("timestamp 96", (2**34) * 1000 + 1, msgpack.Timestamp(2**34, 1000000))
add("timestamp 96, negative", -1, msgpack.Timestamp(-1, 999999999))

documents.append({"name": "every format", "want": NOW, "hex": msgpack.packb({**EVERY, "ts": NOW}).hex()})

with open("golden.json", "w") as f:
    json.dump(documents, f, indent=1)
    f.write("\n")
