"""KEEP: what was heard or published by HTTP, stored once in MongoDB, and read again.

=================  ============================================================
`publishing/`      what comes by HTTP, put on the stream of its partition
`writing/`         from the stream into MongoDB; retention; the quarantine, and the way back from it
`setting_aside`    what an operator decides about messages in quarantine
`searching/`       reading what is stored, never past the watermark, and following it
`beside`           what Redis says of one partition at one instant
`expired`          the records of what retention has deleted
`models`           messages and the quarantine, as Django sees them
`tasks`            the endless task, and for which partitions it is proposed
`api/`             messages and the quarantine by HTTP; `admin/` shows them, `management/` has the commands
=================  ============================================================
"""
