"""What an endpoint is sent: a stored message as headers and a body, in the format that its owner chose.

=========================  ===========================================================================
`raw`                      the payload, byte for byte; the rest in headers
`standard`                 JSON as Standard Webhooks 1.0.0 has it: `type`, `timestamp`, `data` with the row
`cloudevents-binary`       CloudEvents 1.0.2 over HTTP: the payload as body, the attributes as headers
`cloudevents-structured`   the same as one JSON object
`cloudevents-batch`        many of these objects, as a JSON list
`ndjson`                   many rows as the API shows them, one a line
=========================  ===========================================================================

The last two have many messages, each as it would be alone: which ones, `batches` decides.

What a message becomes depends on it and its format alone, not on who gets it: it is made once for all.
Nothing that is stored makes any of this fail, whoever put it there; and nothing of it can begin a header
of its own, or be taken for what Relay says: values are percent-encoded, names are checked, and what is
neither goes as JSON into one header.
"""
