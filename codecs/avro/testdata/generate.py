"""Writes fastavro.json: what fastavro makes of the schemas here. See README.md."""

import datetime as dt
import decimal
import glob
import io
import json
import os

import fastavro
from fastavro.schema import fingerprint, load_schema, to_parsing_canonical_form

# The same as in Generate.java; fastavro's datetime has no more than microseconds.
INSTANTS = [
    "2026-11-21T18:20:00.123456Z",
    "2001-09-09T01:46:39.999999Z",
    "1970-01-01T00:00:00.000000Z",
    "1969-12-31T23:59:59.998001Z",
    "1901-02-03T04:05:06.789000Z",
]
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


def micros(t):
    return (t - EPOCH) // dt.timedelta(microseconds=1)


def time_value(schema, t, text):
    """The time as a field of this type has it, and what is left of it in milliseconds."""
    kind = schema["type"] if isinstance(schema, dict) else schema
    logical = schema.get("logicalType", "") if isinstance(schema, dict) else ""
    exact = micros(t) // 1000
    if logical.endswith("-nanos"):
        return micros(t) * 1000, exact  # fastavro leaves this one to us
    if logical.startswith("local-"):
        return t.replace(tzinfo=None), exact
    if logical:
        return t, exact
    if kind == "string":
        return text, exact
    if kind == "double":
        x = micros(t) / 1e6
        return x, int((decimal.Decimal(repr(x)) * 1000).to_integral_value(decimal.ROUND_FLOOR))
    seconds = micros(t) // 10**6
    return seconds, seconds * 1000


class Writer:
    """Fills schemas with values that are the same on each run."""

    def __init__(self, instant, null):
        self.text = instant
        self.t = dt.datetime.fromisoformat(instant.replace("Z", "+00:00"))
        self.null = null
        self.named = {}
        self.ms = None

    def value(self, schema, field="", depth=0):
        if isinstance(schema, list):
            is_time = field in ("ts", "created")
            if (self.null and is_time) or depth > 3:
                return None
            branch = next(s for s in reversed(schema) if s != "null")
            return self.value(branch, field, depth)
        if field in ("ts", "timestamp", "created", "occurred_at"):
            v, ms = time_value(schema, self.t, self.text)
            if self.ms is None:
                self.ms = ms
            return v
        kind = schema["type"] if isinstance(schema, dict) else schema
        kind, schema = (kind, schema) if kind not in self.named else (self.named[kind]["type"], self.named[kind])
        if kind in ("record", "fixed", "enum"):
            self.named[schema["name"]] = schema
            self.named["com.acme." + schema["name"].removeprefix("com.acme.")] = schema
        if kind == "record":
            return {f["name"]: self.value(f["type"], f["name"], depth + 1) for f in schema["fields"]}
        if kind == "array":
            return [self.value(schema["items"], "", depth + 1) for _ in range(0 if depth > 3 else 5)]
        if kind == "map":
            return {k: self.value(schema["values"], "", depth + 1) for k in ("one", "two", "three")}
        return {
            "null": None, "boolean": True, "int": -1234567, "long": 1 << 40, "float": 1.5, "double": -2.25,
            "bytes": bytes(range(200)), "string": "grüße", "fixed": bytes(16), "enum": "SENT",
        }[kind]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    cases = []
    for path in sorted(glob.glob(os.path.join(here, "schemas", "*.avsc"))):
        with open(path) as f:
            plain = json.load(f)
        name = os.path.basename(path)
        schema = load_schema(path)
        for instant in INSTANTS:
            last = None
            for null in (False, True):
                w = Writer(instant, null)
                out = io.BytesIO()
                fastavro.schemaless_writer(out, schema, w.value(plain))
                datum = out.getvalue()
                if datum == last:
                    continue  # no time that could be null
                last = datum
                single = b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")) + datum
                for framing, b in (("raw", datum), ("registry", b"\0\0\0\0\7" + datum), ("single_object", single)):
                    if framing != "raw" and instant != INSTANTS[0]:
                        continue
                    cases.append({"schema": name, "instant": instant, "null": null, "framing": framing, "hex": b.hex(), "ms": w.ms})
    with open(os.path.join(here, "fastavro.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


main()
