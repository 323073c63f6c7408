"""Subscriptions: administering them, and taking their messages.

`calls`                requests, as values
`rows`                 what is answered
`subscriptions`        `client.subscriptions`
`async_subscriptions`  the same for asyncio

`inbox`                what a consumer asks when, and what an answer does to what it holds
`committing`           the rules of the mode `cursor`
`leasing`              those of the mode `lease`
`finished`             what is to be told in that mode
`holding`              what these speak of
`pace`                 how a consumer is set
`notices`              what it has to tell besides messages
`taken`                a message as the program has it
`consumer`             threads around all that
`async_consumer`       tasks around all that

What is promised
    A message that was handed out comes again until the program has said that it is done: whatever it had in
    hand when it died, whatever was fetched ahead, whatever Relay could not be told. Nothing is told to be
    done that the program has not finished.

What is not
    That a message comes once. Each has an `id` by which a program knows what it has done before.
"""
