"""What is decided of alerts that senders repeat while they fire, as Prometheus does.

==========  =====================================================================================
`states`    what becomes of an alert by what is said of it, and by its end; what is told then
`hearing`   up to when it may be said that nobody has repeated something, and which request is late
==========  =====================================================================================

The promise: whatever of an alert is taken is told, that it fires and that it no longer does, in turn and in
this order, each once, and the last of it is what is so. That holds whoever dies, freezes or is answered by
nobody, and whatever a server has lost that had not stored it. Which writes stand in which order, so that it
does, `alerts_app.receiving` says; `tests/simulation/receiving` plays it.
"""
