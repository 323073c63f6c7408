"""HEAR: which channels there are, and the listeners that hear those that are listened to.

===============  ==============================================================
`models`         channels and gaps, and which channels are ACTIVE at this moment
`registration`   adding, changing and removing a channel: the one place for it
`starting`       the same for a list of names
`shortening`     what a retention that was made shorter is going to delete
`remembering`    what a channel is, from memory, for what publishes
`readers`        who reads a channel, and goes with it only if that is said
`validators`     what may stand in a channel's row
`listening/`     the listeners, which hear what Redis publishes
`placement`      each channel in the partition that its name belongs to
`presence`       whether there ever was a channel of a name
`completeness`   since when nothing of a channel was missed
`ranges`         whether a range of its history has everything
`vanished`       gaps of what was on the stream, and is gone
`report`         all that can be said of channels now, for the API, the admin and commands
`tasks`          the endless task, and who is proposed for it
`api/`           channels and gaps by HTTP; `admin/` shows them, `management/` has the commands
===============  ==============================================================

A channel that is not listened to is one all the same: what is published on it comes by HTTP alone
(`messages_app.publishing`), it has no status, and nothing is missed by not hearing.
"""
