"""The way to one server: in which order calls are made, and that none is forgotten."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from distilltest.config import Server
from distilltest.errors import ServerFailed
from distilltest.lane import Arrived, Lane, NotArrived
from distilltest.records import Completion, Request


class Client:
    """Answers after some turns of the loop; what it is told to fail, fails once."""

    def __init__(self, turns=0, failing=()):
        self.asked, self.turns, self.failing = [], turns, set(failing)
        self.in_flight = self.most_in_flight = 0

    async def chat(self, request):
        text = request.messages[0]["content"]
        self.asked.append(text)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        for _ in range(self.turns):
            await asyncio.sleep(0)
        self.in_flight -= 1
        if text in self.failing:
            self.failing.discard(text)
            raise ServerFailed("busy", retry_after=0.0)
        return Completion(request.key, "s", "m", text, "stop"), b"{}"

    async def close(self):
        pass


def lane_of(client, limit, check=lambda: None):
    return Lane(Server("s", "http://x/v1", max_concurrency=limit), client, 1, check)


async def until(holds):
    """Let the loop turn until something holds, for a thousand turns at most."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0)


async def answers(client, texts):
    """What is told of calls over a lane that makes one at a time."""
    lane, told = lane_of(client, 1), []
    for text in texts:
        lane.send(request(text), told.append)
    await until(lambda: len(told) == len(texts))
    await lane.close()
    return told


def request(text):
    return Request("s", "http://x/v1", "m", ({"role": "user", "content": text},))


def test_first_come_first_served_and_a_call_that_failed_goes_before_those_that_wait():
    client = Client(turns=2, failing=["1"])
    told = asyncio.run(answers(client, "1234"))
    assert client.asked in (["1", "1", "2", "3", "4"], ["1", "2", "1", "3", "4"])
    assert sorted((each.completion.text, each.attempts) for each in told) == [("1", 2), ("2", 1), ("3", 1), ("4", 1)]


@given(
    limit=st.integers(1, 4),
    turns=st.integers(0, 3),
    following=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    pauses=st.lists(st.integers(0, 3), min_size=12, max_size=12),
)
def test_no_call_is_forgotten_whenever_it_is_sent(limit, turns, following, pauses):
    """Calls are sent from outside at any turn, and by those that were told of an answer: in the turn in which a worker ends."""
    client = Client(turns)

    async def run():
        lane, told, sent = lane_of(client, limit), [], 0

        def send(more):
            nonlocal sent
            sent += 1

            def then(answer):
                told.append(answer)
                for _ in range(more):
                    send(0)

            lane.send(request(str(sent)), then)

        for more, pause in zip(following, pauses, strict=False):
            send(more)
            for _ in range(pause):
                await asyncio.sleep(0)
        await until(lambda: len(told) == sent and not client.in_flight)
        await lane.close()
        return told, sent

    told, sent = asyncio.run(run())
    assert len(told) == sent == len(following) + sum(following)
    assert all(isinstance(each, Arrived) for each in told)
    assert client.most_in_flight <= limit


def test_a_bug_in_one_call_is_told_and_the_others_go_on():
    class Broken(Client):
        async def chat(self, request):
            if request.messages[0]["content"] == "2":
                raise KeyError("a bug")
            return await super().chat(request)

    first, second, third = asyncio.run(answers(Broken(), "123"))
    assert isinstance(second, NotArrived)
    assert isinstance(second.error, KeyError)
    assert (first.completion.text, third.completion.text) == ("1", "3")


def test_after_close_nothing_is_sent_and_nobody_is_told():
    client = Client(turns=5, failing=["1"])

    async def run():
        lane, told = lane_of(client, 1), []
        for text in "123":
            lane.send(request(text), told.append)
        await until(lambda: client.asked)
        await lane.close()
        lane.send(request("4"), told.append)
        for _ in range(20):
            await asyncio.sleep(0)
        return told

    assert asyncio.run(run()) == []
    assert client.asked == ["1"]
