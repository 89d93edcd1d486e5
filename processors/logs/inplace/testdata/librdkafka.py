# Produces the messages on standard input, JSON each, with librdkafka:
#   librdkafka.py BROKERS TOPIC CODEC
# Needs: pip install confluent-kafka
import base64, json, sys

from confluent_kafka import Producer

brokers, topic, codec = sys.argv[1:]
p = Producer({"bootstrap.servers": brokers, "compression.codec": codec, "linger.ms": 200, "acks": "all"})
text = lambda s: None if s is None else base64.b64decode(s)
for line in sys.stdin:
    m = json.loads(line)
    headers = [(h["Key"], text(h["Value"])) for h in m["Headers"] or []]
    p.produce(topic, key=text(m["Key"]), value=text(m["Value"]), headers=headers, partition=0)
left = p.flush(30)
sys.exit(f"{left} messages not produced" if left else 0)
