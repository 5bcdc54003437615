"""Patterns for sensitive text. Each finds common forms, and none finds all of them: check with ``--dry-run`` first."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

_SECRETS = r"""
    -----BEGIN\ [A-Z ]{0,30}PRIVATE\ KEY-----[\s\S]{0,10000}?-----END\ [A-Z ]{0,30}PRIVATE\ KEY-----
    | (?<![\w-])(?:
        (?:sk|pk|rk)[-_][\w-]{16,}            # OpenAI, Anthropic, Stripe
        | gh[pousr]_[A-Za-z0-9]{20,}          # GitHub
        | github_pat_\w{20,}
        | glpat-[\w-]{16,}                    # GitLab
        | (?:AKIA|ASIA)[A-Z0-9]{16}           # AWS
        | AIza[\w-]{30,}                      # Google
        | xox[abeprs]-[A-Za-z0-9-]{10,}       # Slack
        | hf_[A-Za-z0-9]{20,}                 # Hugging Face
        | eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+  # JSON web tokens
    )
    | (?<=[Bb]earer\ )[\w.~+/-]{16,}=*
"""
_PHONE = r"""
    (?<![\w.+-])(?:
        (?:\+|00)[1-9]\d{0,2}[ ./-]?(?:\(\d{1,5}\)[ ./-]?)?\d{1,5}(?:[ ./-]?\d{2,5}){1,4}   # +49 30 1234567
        | \(\d{2,5}\)[ ./-]?\d{2,5}(?:[ ./-]?\d{2,5}){1,3}                                 # (555) 123-4567
        | 0[1-9]\d{1,4}[ ./-]\d{2,5}(?:[ ./-]?\d{2,5}){0,3}                                # 030 1234567
        | \d{3}[ .-]\d{3}[ .-]\d{4}                                                        # 555-123-4567
    )(?![\w-])
"""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A kind of text to find."""

    name: str
    expression: re.Pattern[str]
    replacement: str
    """The text to put in its place."""
    accepts: Callable[[str], bool] = lambda _: True
    """Whether a match counts."""

    def replace(self, text: str, found: Callable[[str], None]) -> str:
        """Replace every match, and pass it to ``found``."""

        def put(match: re.Match[str]) -> str:
            if not match[0] or not self.accepts(match[0]):
                return match[0]
            found(match[0])
            return self.replacement

        return self.expression.sub(put, text)


def card_number(text: str) -> bool:
    """Whether a text is a card number: 13 to 19 digits with a correct check digit (ISO/IEC 7812-1).

    >>> card_number("4111 1111 1111 1111"), card_number("4111 1111 1111 1112")
    (True, False)
    """
    digits = [int(sign) for sign in text if sign.isdecimal()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1


def ip_address(text: str) -> bool:
    """Whether a text is an IP address, not just a few letters and colons.

    >>> [ip_address(text) for text in ("10.0.0.1", "10.0.0.256", "2001:db8::1", "::", "a::b", "12:30:45")]
    [True, False, True, False, False, False]
    """
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return len(text.replace(":", "")) >= 2 and any(sign.isdecimal() for sign in text)


def _phone(text: str) -> bool:
    return 7 <= sum(sign.isdigit() for sign in text) <= 15


_BUILT_IN: dict[str, tuple[str, Callable[[str], bool]]] = {
    "secret": (_SECRETS, bool),
    "email": (r"(?<![\w.%+-])[\w.%+-]+@(?:[\w-]+\.)+[^\W\d_]{2,}", bool),
    "card": (r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])", card_number),
    "ip": (
        r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:]))",
        ip_address,
    ),
    "phone": (_PHONE, _phone),
}
"""In the order in which they are applied: the most certain first."""
NAMES = tuple(_BUILT_IN)


def built_in(name: str, replacement: str | None = None) -> Pattern:
    """A built-in pattern by name; a match becomes ``[name]``, or the given replacement.

    >>> built_in("email").replace("write to Ann.Lee+git@mail.example.org, please", print)
    Ann.Lee+git@mail.example.org
    'write to [email], please'
    """
    text, accepts = _BUILT_IN[name]
    flags = re.VERBOSE if "\n" in text else 0
    return Pattern(name, re.compile(text, flags), f"[{name}]" if replacement is None else replacement, accepts)


def own(text: str, replacement: str | None = None) -> Pattern:
    """A pattern of the user's; a match becomes ``[redacted]``, or the given replacement.

    Raises:
        ValueError: It is not a regular expression, or matches the empty text.
    """
    try:
        expression = re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    if expression.match(""):
        raise ValueError(f"{text!r} matches the empty text; require at least one character")
    return Pattern(text, expression, "[redacted]" if replacement is None else replacement)
