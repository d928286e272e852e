"""In which order the plain rows of many acts are written, so that each act's own order and every foreign key holds."""

from collections.abc import Iterable
from typing import NamedTuple

from heliograph.ports import rows

#: Parents before children, inserts before updates of the same table.
ORDER: tuple[type[NamedTuple], ...] = (
    rows.Account, rows.Agent, rows.Token, rows.RevokeToken, rows.Credential, rows.PinIdentity, rows.Reseal, rows.Channel, rows.Throttle,
    rows.Contact, rows.Handle, rows.NameContact, rows.BlockHandle, rows.Readdress, rows.RemoveConversation, rows.Conversation,
    rows.SetControl, rows.Ticket, rows.SetTicketState, rows.Comment, rows.TouchTicket, rows.HeardFrom, rows.DropOrphan, rows.Orphan,
    rows.Body, rows.Seen, rows.Answer, rows.Cursor, rows.File, rows.DropDocument, rows.Document,
    rows.ReleaseCredential, rows.ReleaseShare,
)  # fmt: skip
RANK = {cls: rank for rank, cls in enumerate(ORDER)}
#: Which table a class writes to, where it is not called after it.
TABLE: dict[type[NamedTuple], type[NamedTuple]] = {
    rows.RevokeToken: rows.Token, rows.PinIdentity: rows.Credential, rows.Reseal: rows.Credential,
    rows.Throttle: rows.Channel, rows.NameContact: rows.Contact, rows.BlockHandle: rows.Handle,
    rows.Readdress: rows.Conversation, rows.RemoveConversation: rows.Conversation, rows.SetControl: rows.Conversation,
    rows.HeardFrom: rows.Conversation, rows.SetTicketState: rows.Ticket, rows.TouchTicket: rows.Ticket, rows.DropOrphan: rows.Orphan,
    rows.DropDocument: rows.Document,
}  # fmt: skip
#: Leading fields that are the key, where they are not two.
KEY = {
    rows.Account: 1,
    rows.Handle: 3,
    rows.BlockHandle: 3,
    rows.Orphan: 3,
    rows.DropOrphan: 3,
    rows.Seen: 3,
    rows.Document: 3,
    rows.DropDocument: 3,
    rows.ReleaseShare: 1,
}


def row_written(put: NamedTuple) -> tuple[object, ...]:
    """Which row a put writes: table and key."""
    cls = type(put)
    return (TABLE.get(cls, cls), *put[: KEY.get(cls, 2)])


def waves(acts: Iterable[list[NamedTuple]]) -> list[dict[type[NamedTuple], list[NamedTuple]]]:
    """Group the puts of acts by class: wave after wave, and in each wave by the order of classes. Nearly always one wave.

    What an act writes to one table stays in the act's order, and no row comes before the parents that the act gave it.
    """
    found: list[dict[type[NamedTuple], list[NamedTuple]]] = []
    for puts in acts:
        # For each table: wave and rank of the act's last put.
        last: dict[type[NamedTuple], tuple[int, int]] = {}
        for put in puts:
            cls = type(put)
            table = TABLE.get(cls, cls)
            wave, rank = last.get(table, (0, 0))
            if RANK[cls] < rank:
                wave += 1
            wave = max([wave, *(before for other, (before, _) in last.items() if RANK[other] < RANK[table])])
            last[table] = (wave, RANK[cls])
            _into(found, wave, put)
    return [{cls: wave[cls] for cls in ORDER if cls in wave} for wave in found]


def _into(found: list[dict[type[NamedTuple], list[NamedTuple]]], wave: int, put: NamedTuple) -> None:
    while len(found) <= wave:
        found.append({})
    found[wave].setdefault(type(put), []).append(put)
