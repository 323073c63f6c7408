"""What Relay asks of a Celery worker, so that one that lives is one that works.

==========  ===============================================================
`ending`    however a worker ends, its endless tasks end with it
`going_on`  what must not end it: a broker that refuses, a child that dies
==========  ===============================================================
"""
