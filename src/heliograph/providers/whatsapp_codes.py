"""What the error codes of the WhatsApp Cloud API mean.

Source: Meta's page of error codes, by way of pywa and courier; unverified against the service itself. The same numbers come in
the answer to a call, in `errors` of a failed status and in `errors` of a message. Meta: branch on the code, never on a title.
"""

from heliograph.domain.reasons import Reason

#: "Pair rate limit hit": too many messages from this number to this one contact. All others may go on.
OF_THE_CONVERSATION = frozenset({"131056"})
#: By (code, subcode); the Cloud API has given up subcodes, the Graph API beneath it has not.
CODES: dict[tuple[int, int], Reason] = {
    # --- credentials, and what they may do
    (0, 0): Reason.BAD_CREDENTIALS,
    (190, 0): Reason.BAD_CREDENTIALS,
    (3, 0): Reason.NOT_PERMITTED,
    (10, 0): Reason.NOT_PERMITTED,
    **{(code, 0): Reason.NOT_PERMITTED for code in range(200, 300)},
    (131005, 0): Reason.NOT_PERMITTED,
    # The number's registration: certificate, deleted number, display name, two-step PIN, not registered.
    (131045, 0): Reason.NOT_PERMITTED,
    (33, 0): Reason.NOT_PERMITTED,
    (131037, 0): Reason.NOT_PERMITTED,
    (133005, 0): Reason.NOT_PERMITTED,
    (133006, 0): Reason.NOT_PERMITTED,
    (133008, 0): Reason.NOT_PERMITTED,
    (133009, 0): Reason.NOT_PERMITTED,
    (133010, 0): Reason.NOT_PERMITTED,
    (133015, 0): Reason.NOT_PERMITTED,
    # "Unsupported request: the object does not exist, or you may not see it": the phone number id is not this token's.
    # It would refuse every message alike, so it must not be read as the message's fault, as 100 is elsewhere.
    (100, 33): Reason.NOT_PERMITTED,
    # --- the account is blocked, or does not pay
    (368, 0): Reason.NOT_PERMITTED,
    (131031, 0): Reason.NOT_PERMITTED,
    (130497, 0): Reason.NOT_PERMITTED,
    (131042, 0): Reason.NOT_PERMITTED,
    (131044, 0): Reason.NOT_PERMITTED,
    # --- too fast
    (4, 0): Reason.RATE_LIMITED,
    (17, 0): Reason.RATE_LIMITED,
    (32, 0): Reason.RATE_LIMITED,
    (613, 0): Reason.RATE_LIMITED,
    (80007, 0): Reason.RATE_LIMITED,
    (80008, 0): Reason.RATE_LIMITED,
    (130429, 0): Reason.RATE_LIMITED,
    (131048, 0): Reason.RATE_LIMITED,
    (131056, 0): Reason.RATE_LIMITED,
    (131064, 0): Reason.RATE_LIMITED,
    (132069, 0): Reason.RATE_LIMITED,
    (133016, 0): Reason.RATE_LIMITED,
    # --- out of order. In a 4xx nothing was taken; in a 5xx it may have been, whatever the code.
    (1, 0): Reason.PROVIDER_DOWN,
    (2, 0): Reason.PROVIDER_DOWN,
    (131000, 0): Reason.PROVIDER_DOWN,
    (131016, 0): Reason.PROVIDER_DOWN,
    (131057, 0): Reason.PROVIDER_DOWN,
    (133004, 0): Reason.PROVIDER_DOWN,
    # --- the contact
    (131021, 0): Reason.BAD_RECIPIENT,
    (131026, 0): Reason.BAD_RECIPIENT,
    (131030, 0): Reason.BAD_RECIPIENT,
    (131062, 0): Reason.BAD_RECIPIENT,
    (131050, 0): Reason.BLOCKED,
    (131047, 0): Reason.WINDOW_CLOSED,
    # The window's code before the Cloud API.
    (470, 0): Reason.WINDOW_CLOSED,
    # Held back for this contact: an experiment, too many marketing messages, a changed identity. All end when the contact writes.
    (130472, 0): Reason.CONVERSATION_CLOSED,
    (131049, 0): Reason.CONVERSATION_CLOSED,
    (137000, 0): Reason.CONVERSATION_CLOSED,
    # --- the message
    (131051, 0): Reason.UNSUPPORTED,
    (131052, 0): Reason.UNSUPPORTED,
    # "Media upload error". We upload files ourselves, so that no fetch can have failed: what the service does not take is the file.
    (131053, 0): Reason.UNSUPPORTED,
    (131063, 0): Reason.UNSUPPORTED,
    (100, 0): Reason.BAD_REQUEST,
    (131008, 0): Reason.BAD_REQUEST,
    (131009, 0): Reason.BAD_REQUEST,
    (135000, 0): Reason.BAD_REQUEST,
    # --- templates: gone, paused, disabled, against the rules; filled wrongly
    (132001, 0): Reason.UNSUPPORTED,
    (132007, 0): Reason.UNSUPPORTED,
    (132015, 0): Reason.UNSUPPORTED,
    (132016, 0): Reason.UNSUPPORTED,
    (132068, 0): Reason.UNSUPPORTED,
    (132005, 0): Reason.TOO_LARGE,
    (132000, 0): Reason.BAD_REQUEST,
    (132008, 0): Reason.BAD_REQUEST,
    (132012, 0): Reason.BAD_REQUEST,
}
