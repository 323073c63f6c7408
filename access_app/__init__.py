"""Who may do what, and who did what: tokens for programs, and the audit log.

Tokens
    A token has a name, a user in whose name it acts, and grants: scopes by channel (`relaycore.rights`).
    It may no more than its user, whose permissions in Django count as well (`permissions`). Only the SHA-256
    of its key is kept: a key has 256 bits of chance, so nothing slower is needed, and it is found by its
    hash, which makes one look in an index. The key is shown once, when it is made or rotated.

    Web processes that answer before Django remember tokens (`remembering`, `holders`), and let large
    bodies in from those alone who are known (`admitting`).

    Browsers that watch have tickets, made for a token or a user, good for an hour (`watching`), or are logged
    in. Nothing else is answered to either before Django.

Passwords
    How often one may be wrong is limited (`guessing`). They are hashed where nobody else waits (`hashing`).

Audit log
    One row for each thing that an operator changed: started, stopped or changed a channel, made,
    rotated or revoked a token, gave somebody permissions (`granting`). It is written in the transaction of
    the change, by the code that makes the change, so nothing changes unseen, by whichever way (API, admin,
    command). Who it was is found where the request is kept for that long (`actor`).
"""
