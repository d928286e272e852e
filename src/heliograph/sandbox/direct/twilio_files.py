"""The simulated Twilio's files: listed with their message, pointed to, and stored where no credentials are asked for."""

from heliograph.sandbox.direct.service import Call, DirectService, served
from heliograph.sandbox.direct.twilio_messages import VERSION, message_of, refused
from heliograph.sandbox.wire import Response, answer


def listed(service: DirectService, call: Call) -> Response:
    """The files of a message."""
    post, account = message_of(call), call.account
    base = f"/{VERSION}/Accounts/{account.id}/Messages/{post.id}/Media"
    files = [
        {"sid": id, "account_sid": account.id, "parent_sid": post.id, "content_type": account.files[id].media_type,
         "uri": f"{base}/{id}.json"} for id in ([post.file] if post.file else [])
    ]  # fmt: skip
    return answer(200, {"media_list": files, "page": 0, "page_size": 50, "uri": f"{base}.json", "next_page_uri": None})


def pointed(service: DirectService, call: Call) -> Response:
    """Where the bytes of a file are."""
    if call.args["media"] not in call.account.files:
        raise refused(20404, 404)
    return Response(307, b"", {"location": f"{call.account.more['base']}/store/{call.args['media']}"})


def stored(service: DirectService, call: Call) -> Response:
    """The bytes of a file."""
    return served(call.account.files[call.args["stored"]])
