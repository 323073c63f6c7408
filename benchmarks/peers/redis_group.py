"""What others do without a server of their own: redis-py, XREADGROUP and XACK, in one consumer group.

redis_group.py URL STREAM COUNT MESSAGES: reads so many, COUNT at a time, and prints JSON.
"""

import json
import sys
import time

import redis

url, stream, count, messages = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
client = redis.Redis.from_url(url, decode_responses=True)
client.xgroup_create(stream, "peer", "0")
seen, began, cpu = 0, time.perf_counter(), time.process_time()
while seen < messages:
    [(_, entries)] = client.xreadgroup("peer", "one", {stream: ">"}, count=count)
    client.xack(stream, "peer", *[id for id, _ in entries])
    seen += len(entries)
print(json.dumps({"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu, "messages": seen}))
client.xgroup_destroy(stream, "peer")
