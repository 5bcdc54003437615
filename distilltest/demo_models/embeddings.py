"""Embeddings: hashed character trigrams. Texts with similar spelling have similar vectors; meaning plays no part."""

from __future__ import annotations

import base64
import struct
import zlib
from math import sqrt
from typing import Any

from distilltest.server.errors import invalid

DIMENSIONS = 256


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """Answer ``POST /embeddings``, as floats or base64."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise invalid("input is a text or a list of texts", "input")
    size = body.get("dimensions") or DIMENSIONS
    if not isinstance(size, int) or not 1 <= size <= 4096:
        raise invalid("dimensions is a whole number from 1 to 4096", "dimensions")
    vectors = [embed(text, size) for text in texts]
    packed = body.get("encoding_format") == "base64"
    tokens = sum(len(text.split()) for text in texts)
    return {
        "object": "list",
        "model": body.get("model"),
        "data": [
            {"object": "embedding", "index": index, "embedding": _pack(vector) if packed else vector}
            for index, vector in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def embed(text: str, size: int = DIMENSIONS) -> list[float]:
    """The unit vector of a text's trigrams."""
    vector = [0.0] * size
    padded = f"  {text.casefold()} "
    for start in range(len(padded) - 2):
        digest = zlib.crc32(padded[start : start + 3].encode())
        vector[digest % size] += 1.0 if digest & 0x8000_0000 else -1.0
    length = sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]


def _pack(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
