"""One Celery task for each message: the part that stores."""
import os, datetime, pymongo
from celery import Celery
app = Celery('peers', broker=os.environ['BROKER_URL'])
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)
_col = None
def col():                      # one client per forked worker
    global _col
    if _col is None: _col = pymongo.MongoClient(os.environ['MONGO_URL'])['peers']['messages']
    return _col
@app.task
def persist(channel, message):
    try: col().insert_one({'channel': channel, 'message': message, 'received_at': datetime.datetime.utcnow()})
    except pymongo.errors.DuplicateKeyError: pass
