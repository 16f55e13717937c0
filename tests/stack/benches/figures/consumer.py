"""What a tuned consumer in Python does with the same topic: whole batches, the fastest parser, a dict of rows."""

import sys
import time

import orjson
from confluent_kafka import Consumer, TopicPartition

servers, topic, partitions, rows_wanted = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
began = time.monotonic()
consumer = Consumer({
    "bootstrap.servers": servers,
    "group.id": "python",
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "fetch.queue.backoff.ms": 5,
    "queued.min.messages": 200000,
    "queued.max.messages.kbytes": 131072,
})
consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
rows, read = {}, 0
loads = orjson.loads
while read < rows_wanted:
    for message in consumer.consume(10000, 0.1):
        rows[message.key()] = loads(message.value())["after"]
        read += 1
print(time.monotonic() - began, len(rows))
