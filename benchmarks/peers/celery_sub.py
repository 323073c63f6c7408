"""One Celery task for each message: the part that hears."""
import os, redis
from celery_tasks import persist
p = redis.Redis.from_url(os.environ['REDIS_URL'], decode_responses=True).pubsub()
p.subscribe(*os.environ['CHANNELS'].split(','))
for m in p.listen():
    if m['type'] == 'message': persist.delay(m['channel'], m['data'])
