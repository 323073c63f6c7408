"""Publishing: messages become batches, batches requests, answers receipts.

`outbox`          what is sent when, and what an outcome does to it
`lane`            the same of one channel
`outgoing`        what these speak of
`lines`           a message as the line that is sent
`outcomes`        what an answer, or none, means for a batch
`resolving`       keys, and who waits for which messages
`producer`        threads around all that
`async_producer`  tasks around all that
"""
