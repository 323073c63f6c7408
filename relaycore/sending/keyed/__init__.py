"""Order by a field, where messages are pushed: one after another for each value, and the others flow.

A message has a key, or none, as where messages are pulled (`relaycore.delivering.holding`). A window tries
the lowest of a key, and nothing else of it while that one is out. What has failed and waits for its next
attempt *parks* its key: it has its row, and what comes behind it is passed by the cursor without one. Of all
that waits so there is one record for the key, `Held`: from where on, up to where, how many at most.

    ==============  =======================================  ================================================
    a key           by                                       becomes
    ==============  =======================================  ================================================
    free            its lowest new message is tried          tried: what comes behind waits in the window
    tried           2xx, or dead                             free: the next one of it is tried
    tried           it fails, or is passed while it is out   parked: a row. What waits in the window is held
    parked          its row is done, dead, skipped, or gone  open, if something is held; else free
    open            the next one that is held was read       parked: it gets a row that is due at once
    open            nothing is found up to its end           free: what is missing was deleted, on record
    ==============  =======================================  ================================================

So what waits costs one row for the key and one for its first message, however many there are; and a key that
goes on is as fast as steps are written, one message each. Parked and open keys count among the rows that may
be on their way: at the bound nothing new is tried.

A key is never out twice in one term, whatever an operator redrives: what is out is known by its key until it
has ended, also when the window has been let go. A dead letter that is redriven comes after what was sent
meanwhile.

Where messages of one key fill the window behind one that is out, that one is passed with a row, and they are
held: else the others would wait for it.

`queue`  new messages, and which of them may be tried
`keys`   which keys are parked, open or out, and what is written of them
"""
