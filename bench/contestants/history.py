"""A long past, written straight into a SQLite file: conversations whose replies were all accepted, three events each."""

from pathlib import Path

import apsw

#: Replies in one transaction.
CHUNK = 50_000
REPLIES_PER_CONVERSATION = 20

NUMBERS = "WITH RECURSIVE n (i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :last)"
CONVERSATION = f"'cnv_00' || printf('%020x', i / {REPLIES_PER_CONVERSATION})"
TICKET = f"'tkt_00' || printf('%020x', i / {REPLIES_PER_CONVERSATION})"
COMMENT = "'cmt_00' || printf('%020x', i)"
DELIVERY = "'dlv_00' || printf('%020x', i)"
EVENT_COLUMNS = (
    "account, stream, stream_id, subject, position, kind, version, recorded_at, occurred_at, actor, channel, credential, release, "
    "attempt, reason, data"
)

CONVERSATIONS = (
    f"{NUMBERS} INSERT INTO conversation SELECT :account, {CONVERSATION}, :channel, 'past' || i, :contact, {TICKET}, '', 1, 0, 1 "
    f"FROM n WHERE i % {REPLIES_PER_CONVERSATION} = 0",
    f"{NUMBERS} INSERT INTO ticket SELECT :account, {TICKET}, -i - 1, {CONVERSATION}, :channel, :contact, 'solved', 1, 1 "
    f"FROM n WHERE i % {REPLIES_PER_CONVERSATION} = 0",
    f"{NUMBERS} INSERT INTO lane (account, id, channel, tail, head, ready_at, not_before, blocked, owner, lease_until, fence) "
    f"SELECT :account, {CONVERSATION}, :channel, {REPLIES_PER_CONVERSATION}, NULL, NULL, 0, NULL, '', 0, "
    f"{REPLIES_PER_CONVERSATION} FROM n WHERE i % {REPLIES_PER_CONVERSATION} = 0",
)
REPLIES = (
    f"{NUMBERS} INSERT INTO comment SELECT :account, {COMMENT}, {TICKET}, 'agent', 'agt_0', 1, '', i, i FROM n",
    f'{NUMBERS} INSERT INTO body SELECT :account, {COMMENT}, \'[{{"text": {{"body": "An answer of long ago."}}}}]\' FROM n',
    f'{NUMBERS} INSERT INTO body SELECT :account, {DELIVERY}, \'{{"kind": "text", "payload": {{}}, "media": null}}\' FROM n',
    f"{NUMBERS} INSERT INTO delivery (account, id, ticket, comment, channel, lane, seq, part, parts, state, reason, code, "
    "question, attempt, attempt_open, spent, epoch, returned, rank, provider_id, ready_at, settle_at, queued_at, started_at, accepted_at, "
    f"doubt_since, version) SELECT :account, {DELIVERY}, {TICKET}, {COMMENT}, :channel, {CONVERSATION}, "
    f"i % {REPLIES_PER_CONVERSATION} + 1, 1, 1, 'accepted', '', '', '', 1, 0, 0, 0, 0, 1, "
    "printf('%024x', i), i, NULL, i, i, i, 0, 3 FROM n",
    f"{NUMBERS} INSERT INTO event ({EVENT_COLUMNS}) SELECT :account, 'ticket', {TICKET}, {DELIVERY}, 1, 'reply_queued', 1, i, NULL, "
    "'agent:agt_0', :channel, '', 'past', NULL, '', '{\"part\":1,\"parts\":1}' FROM n",
    f"{NUMBERS} INSERT INTO event ({EVENT_COLUMNS}) SELECT :account, 'ticket', {TICKET}, {DELIVERY}, 2, 'attempt_started', 1, i, NULL, "
    "'system', :channel, 'crd_0@past', 'past', 1, '', '{\"attempt\":1,\"fingerprint\":\"past\"}' FROM n",
    f"{NUMBERS} INSERT INTO event ({EVENT_COLUMNS}) SELECT :account, 'ticket', {TICKET}, {DELIVERY}, 3, 'attempt_accepted', 1, i, NULL, "
    "'system', :channel, 'crd_0@past', 'past', 1, '', json_object('attempt', 1, 'provider_id', printf('%024x', i)) FROM n",
)


def write_history(database: Path, account: str, channel: str, events: int) -> int:
    """Write about `events` events and all rows that belong to them; returns how many. The store must be idle."""
    replies = events // 3 // REPLIES_PER_CONVERSATION * REPLIES_PER_CONVERSATION
    connection = apsw.Connection(str(database))
    connection.set_busy_timeout(10_000)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("INSERT INTO contact VALUES (?, 'con_past', 'Somebody', 1)", (account,))
    for first in range(0, replies, CHUNK):
        window = {"first": first, "last": min(first + CHUNK, replies), "account": account, "channel": channel, "contact": "con_past"}
        connection.execute("BEGIN IMMEDIATE")
        for statement in (*CONVERSATIONS, *REPLIES):
            connection.execute(statement, window)
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return replies * 3
