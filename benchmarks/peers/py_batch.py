"""What a good Python engineer writes in 30 lines: reader thread, queue, insert_many(1000, unordered). No stream, nothing survives a crash."""
import os, redis, pymongo, datetime, threading, queue, time
col = pymongo.MongoClient(os.environ['MONGO_URL'])['peers']['messages']
q = queue.SimpleQueue()
def read():
    p = redis.Redis.from_url(os.environ['REDIS_URL'], decode_responses=True).pubsub(ignore_subscribe_messages=True)
    p.subscribe(*os.environ['CHANNELS'].split(','))
    try:
        for m in p.listen(): q.put((m['channel'], m['data']))
    finally:  # Redis has cut it off: store what was read, and end, so that it is started again.
        while not q.empty(): time.sleep(.05)
        time.sleep(1)
        os._exit(1)
threading.Thread(target=read, daemon=True).start()
while True:
    b = [q.get()]
    while len(b) < 1000:
        try: b.append(q.get_nowait())
        except queue.Empty: break
    now = datetime.datetime.utcnow()
    try: col.insert_many([{'channel': c, 'message': m, 'received_at': now} for c, m in b], ordered=False)
    except pymongo.errors.BulkWriteError: pass
