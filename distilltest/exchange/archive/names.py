"""Make folder names and address parts from ids, which may contain anything."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}\Z")
_UNSAFE = re.compile(r"[^a-z0-9_-]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)\Z")
"""Names that Windows reserves for devices."""


def folder_name(identifier: str) -> str:
    """Make a folder name from an id. Different ids get different names on every file system, and no name escapes its folder.

    An id in plain lower case is its own name. Others get a part of their SHA-256, so that ids that differ only in case stay
    apart on file systems that ignore case.

    >>> folder_name("eval_67abd54d9b0081909a86353f6fb9317a")
    'eval_67abd54d9b0081909a86353f6fb9317a'
    >>> folder_name("ftjob-AF7Q")
    'ftjob-af7q~f74bd807880a1f7fea8d'
    >>> folder_name("../../x")
    'x~9cdf6a50100a862e1428'
    """
    if _PLAIN.match(identifier) and not _RESERVED.match(identifier):
        return identifier
    readable = _UNSAFE.sub("-", identifier.lower()[:200]).strip("-")[:40] or "id"
    return f"{readable}~{hashlib.sha256(identifier.encode('utf-8', 'surrogatepass')).hexdigest()[:20]}"


def address_part(identifier: str) -> str | None:
    """Quote an id as one part of an address; None if that is impossible.

    >>> address_part("a/b?c")
    'a%2Fb%3Fc'
    >>> address_part("..")
    """
    if not identifier.strip(".") or len(identifier) > 500:
        return None
    try:
        return quote(identifier, safe="")
    except UnicodeEncodeError:  # half of a surrogate pair
        return None
