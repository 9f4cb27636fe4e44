"""How a login is named so that its owner can tell it from others: the browser and its system."""

from typing import Final

from fastapi import Request

# The first that occurs: many browsers also name those that they descend from.
_BROWSERS: Final = ("Edg", "OPR", "SamsungBrowser", "Firefox", "Chrome", "Safari")
_SYSTEMS: Final = ("Android", "iPhone", "iPad", "Windows", "Macintosh", "Linux")
_SHOWN: Final = {"Edg": "Edge", "OPR": "Opera", "SamsungBrowser": "Samsung", "Macintosh": "Mac"}


def label(request: Request) -> str:
    """A browser's name for lists of logins; no version and nothing else that tells people apart."""
    agent = request.headers.get("user-agent", "")
    found = [next((word for word in words if word in agent), "") for words in (_BROWSERS, _SYSTEMS)]
    return ", ".join(_SHOWN.get(word, word) for word in found if word)
