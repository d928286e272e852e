"""Runs the sandbox as a process of its own: python -m heliograph.sandbox --port N."""

import argparse
import asyncio
import json
import signal
import sys

from heliograph.sandbox.server import new_sandbox, start


def main() -> None:
    """Listen until interrupted. The first line printed is the address; with --seed-demo the second is the credentials, as JSON."""
    asyncio.run(_serve(_parse()))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m heliograph.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    parser.add_argument("--port", type=int, default=0, help="port of everything; 0 takes a free one")
    parser.add_argument("--sunshine-port", type=int, default=0, help="port of Sunshine Conversations alone, refused while it is down")
    parser.add_argument("--telegram-port", type=int, default=0, help="port of Telegram alone, refused while it is down")
    parser.add_argument("--seed", type=int, default=None, help="make ids and dice repeatable")
    parser.add_argument("--seed-demo", action="store_true", help="create a demo app, contact and bot, and print their credentials")
    parser.add_argument("--webhook-url", default=None, help="where the demo's Sunshine webhook goes")
    parser.add_argument("--webhook-secret", default=None, help="its secret; made up if not given")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    sandbox = new_sandbox(options.seed)
    ports = {"sunshine": options.sunshine_port, "telegram": options.telegram_port}
    running = await start(host=options.host, port=options.port, sandbox=sandbox, service_ports=ports)
    sys.stdout.write(running.url + "\n")
    if options.seed_demo:
        demo = sandbox.seed_demo(webhook_url=options.webhook_url, webhook_secret=options.webhook_secret)
        shown = {**demo.to_json(), "sunshine_url": running.sunshine_url, "telegram_url": running.telegram_url}
        sys.stdout.write(json.dumps(shown) + "\n")
    sys.stdout.flush()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await running.stop()


if __name__ == "__main__":
    main()
