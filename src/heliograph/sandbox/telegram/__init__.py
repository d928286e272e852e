"""A faithful Telegram Bot API of our own."""

from heliograph.sandbox.telegram.service import Telegram

__all__ = ["Telegram"]
