"""Writes golden.json and shop.pb with Google's and Confluent's libraries for Python.

    pip install protobuf grpcio-tools "confluent-kafka[schemaregistry,protobuf]"
    cd codecs/protobuf/testdata && python3 generate.py

shop.pb is the set of descriptors of shop.proto, as protoc writes it. golden.json has
messages of shop.Event, and the time that Google's implementation reads from each
field that was set, in milliseconds, rounded towards the past; and what Confluent's
serializer puts before messages of some types, with schema 7.
"""

import json
import os
import random

import grpc_tools
from confluent_kafka.schema_registry.common.protobuf import _create_index_array
from confluent_kafka.schema_registry.common.serde import SchemaId
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

include = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
assert protoc.main(["protoc", "-I.", "-I" + include, "--include_imports", "--descriptor_set_out=shop.pb", "shop.proto"]) == 0

pool = descriptor_pool.DescriptorPool()
with open("shop.pb", "rb") as f:
    for file in descriptor_pb2.FileDescriptorSet.FromString(f.read()).file:
        pool.Add(file)
Event = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Event"))

random.seed(1)
NOW = 1795285200  # 2026-11-21, in seconds
cases = []


def case(name, field, want, set, *parts, unit="", numbers=""):
    """A message with a field set, among others, and what it means."""
    m = Event(id="a" * random.randrange(200), blob=b"\x00\xff" * random.randrange(99), flag=True)
    m.meta.labels["k"] = "v"
    m.list.extend([1, 2, 300])
    set(m)
    raw = m.SerializeToString()
    for p in parts:
        raw += p.SerializeToString()
    back = Event.FromString(raw)
    value = back
    for f in field.split("."):
        value = getattr(value, f)
    case = {"name": name, "field": field, "want": want(value), "hex": raw.hex()}
    if unit:
        case["unit"] = unit
    if numbers:
        case["numbers"] = numbers
    cases.append(case)


seconds = lambda v: v * 1000
millis = lambda v: v
stamp = lambda t: (t.seconds * 10**9 + t.nanos) // 10**6


def put(path, value):
    def set(m):
        *outer, last = path.split(".")
        for o in outer:
            m = getattr(m, o)
        setattr(m, last, value)

    return set


def created(s, n):
    def set(m):
        m.created.seconds, m.created.nanos = s, n
        m.created.SetInParent()

    return set


for s, n in [(NOW, 123999999), (0, 0), (NOW, 0), (0, 1), (-1, 999999999), (-62135596800, 0), (253402300799, 999999999), (-1, 1)]:
    case("Timestamp", "created", stamp, created(s, n), numbers="2")
case("nested Timestamp", "meta.created", stamp, put("meta.created.seconds", NOW), numbers="3.2")
case("wrapper", "wrapped.value", seconds, put("wrapped.value", NOW), numbers="19.1")
case("deep", "parent.parent.parent.i64", seconds, put("parent.parent.parent.i64", NOW), numbers="1000.1000.1000.5")
for v in [NOW, 1, -1, 2**40 - 10**12, -(2**40)]:
    case("int64", "i64", lambda v: v if abs(v) > 999_999_999_999 else v * 1000, put("i64", v), numbers="5")
    case("sint64", "s64", millis, put("s64", v), unit="ms")
    case("sfixed64", "sf64", millis, put("sf64", v), unit="ms", numbers="9")
    case("double", "d", lambda v: int(v) * 1000, put("d", float(v)), unit="s")
for v in [NOW, 1, 2**63 - 1]:
    case("uint64", "u64", millis, put("u64", v), unit="ms", numbers="6")
    case("fixed64", "f64", millis, put("f64", v), unit="ms", numbers="8")
for v in [NOW, 1, -1, -(2**31), 2**31 - 1]:
    case("int32", "i32", seconds, put("i32", v), numbers="10")
    case("sint32", "s32", seconds, put("s32", v))
    case("sfixed32", "sf32", seconds, put("sf32", v), numbers="14" if v > 0 else "")
for v in [NOW, 1, 2**32 - 1]:
    case("uint32", "u32", seconds, put("u32", v), numbers="11")
    case("fixed32", "f32", seconds, put("f32", v), numbers="13")
case("float", "f", lambda v: int(v) * 1000, put("f", float(NOW)))
case("text", "text", lambda v: 1795285200123, put("text", "2026-11-21T18:20:00.123Z"), numbers="17")
case("text of digits", "text", lambda v: int(v), put("text", "1795285200123"), numbers="17")
case("optional zero", "set", millis, put("set", 0), numbers="18")
case("oneof", "at", seconds, put("at", NOW), numbers="20")
case("oneof with Timestamp", "when", stamp, put("when.nanos", 5000000), numbers="21")

# Concatenated messages merge.
case("the last one wins", "i64", seconds, put("i64", 1), Event(i64=NOW), numbers="5")
later = Event()
later.created.nanos = 7000000
case("Timestamps merge", "created", stamp, created(NOW, 1000000), later, numbers="2")
later = Event()
later.meta.created.seconds = 9
case("nested Timestamps merge", "meta.created", stamp, put("meta.created.nanos", 8000000), later, numbers="3.2")

frames = []
for name in ["Event", "Meta", "Meta.Inner", "Empty"]:
    index = _create_index_array(pool.FindMessageTypeByName("shop." + name))
    frames.append({"type": "shop." + name, "hex": SchemaId("PROTOBUF", 7, None, index).id_to_bytes().hex()})

with open("golden.json", "w") as f:
    json.dump({"events": cases, "frames": frames}, f, indent=1)
    f.write("\n")
