"""Decide which answers to compare, to find a better and a worse one: every pair, or fewer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import combinations

Match = Callable[[int, int], Awaitable[int | None]]
"""Compares two answers by their numbers; returns the number of the better one, or None for a tie."""
Found = tuple[int, int] | None
"""The numbers of the better and the worse answer, which the judge compared; None if no answer beat another."""
WAYS = ("all", "best-worst", "tournament")


class CircleFound(Exception):
    """The preferences contradict each other."""


def most(way: str, answers: int) -> int:
    """The most pairs that are compared in a way.

    >>> [most(way, 8) for way in WAYS], [most(way, 3) for way in WAYS], [most(way, 1) for way in WAYS]
    ([28, 11, 7], [3, 3, 2], [0, 0, 0])
    """
    every = answers * (answers - 1) // 2
    return min(every, {"all": every, "tournament": answers - 1}.get(way, answers - 1 + (answers + 1) // 2))


async def find(way: str, answers: int, match: Match) -> Found:
    """Find a better and a worse answer.

    ``all`` compares every pair: the result is the answer with most wins, and the one with fewest wins among those it beat.
    ``tournament`` is a knockout: the result is its winner, and the first answer that the winner beat. ``best-worst`` adds a
    second knockout for the last place among the losers of the first round, and compares its loser with the winner. No pair is
    compared twice.

    Raises:
        CircleFound: The preferences contradict each other.
    """
    if answers < 2:
        return None
    if way == "all":
        return await _every_two(answers, match)
    known: dict[frozenset[int], asyncio.Future[int | None]] = {}

    async def once(one: int, other: int) -> int | None:
        pair = frozenset((one, other))
        if pair not in known:
            known[pair] = asyncio.ensure_future(match(one, other))
        return await known[pair]

    beaten: dict[int, list[int]] = {}
    last: list[int] = []
    players = list(range(answers))
    while len(players) > 1:
        winners, losers = await _round(players, once, beaten)
        last = last or losers + winners[len(losers) :]  # an answer without an opponent has not won
        players = winners
    best = players[0]
    if way == "tournament":
        return (best, beaten[best][0]) if best in beaten else None
    while len(last) > 1:
        winners, losers = await _round(last, once, {})
        last = losers + winners[len(losers) :]
    worst = last[0]
    winner = None if worst == best else await once(best, worst)
    if winner == worst:
        raise CircleFound
    return None if winner is None else (best, worst)


async def _round(players: list[int], match: Match, beaten: dict[int, list[int]]) -> tuple[list[int], list[int]]:
    """Compare each answer with the next one; the first advances from a tie, and an odd one out advances without an opponent."""
    pairs = list(zip(players[::2], players[1::2], strict=False))
    results = await asyncio.gather(*(match(one, other) for one, other in pairs))
    winners, losers = [], []
    for (one, other), result in zip(pairs, results, strict=True):
        winner, loser = (other, one) if result == other else (one, other)
        winners.append(winner)
        losers.append(loser)
        if result is not None:
            beaten.setdefault(winner, []).append(loser)
    return winners + players[2 * len(pairs) :], losers


async def _every_two(answers: int, match: Match) -> Found:
    pairs = list(combinations(range(answers), 2))
    results = await asyncio.gather(*(match(one, other) for one, other in pairs))
    wins = Counter(dict.fromkeys(range(answers), 0))
    beaten: dict[int, list[int]] = {}
    for (one, other), winner in zip(pairs, results, strict=True):
        if winner is not None:
            wins[winner] += 1
            beaten.setdefault(winner, []).append(other if winner == one else one)
    if not beaten:
        return None
    best = max(beaten, key=lambda number: (wins[number], -number))
    worst = min(beaten[best], key=lambda number: wins[number])
    if wins[worst] == wins[best]:
        raise CircleFound
    return best, worst
