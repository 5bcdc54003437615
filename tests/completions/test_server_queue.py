"""The queue of one server: the order of calls, and that none is lost."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distilltest.completions.server_queue import Arrived, NotArrived, ServerQueue
from distilltest.config import Server
from distilltest.errors import NotFound, NotSent, PromptTooLong, RequestRejected, ServerFailed, StoreError, Unexpected
from distilltest.records import Completion, Request


class Client:
    """Answers after some turns of the loop; the given texts fail once."""

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


def queue_of(client, limit, check=lambda: None):
    return ServerQueue(Server("s", "http://x/v1", max_concurrency=limit), client, 1, check)


async def until(holds):
    """Run the loop until a condition holds, for at most a thousand turns."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0)


async def answers(client, texts):
    """The results of calls over a server queue with one worker."""
    queue, told = queue_of(client, 1), []
    for text in texts:
        queue.send(request(text), told.append)
    await until(lambda: len(told) == len(texts))
    await queue.close()
    return told


def request(text):
    return Request("s", "http://x/v1", "m", ({"role": "user", "content": text},))


def test_first_come_first_served_and_retries_go_first():
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
def test_no_call_is_lost_at_any_time(limit, turns, following, pauses):
    """Calls are sent from outside at any turn, and by callbacks in the turn in which a worker ends."""
    client = Client(turns)

    async def run():
        queue, told, sent = queue_of(client, limit), [], 0

        def send(more):
            nonlocal sent
            sent += 1

            def then(answer):
                told.append(answer)
                for _ in range(more):
                    send(0)

            queue.send(request(str(sent)), then)

        for more, pause in zip(following, pauses, strict=False):
            send(more)
            for _ in range(pause):
                await asyncio.sleep(0)
        await until(lambda: len(told) == sent and not client.in_flight)
        await queue.close()
        return told, sent

    told, sent = asyncio.run(run())
    assert len(told) == sent == len(following) + sum(following)
    assert all(isinstance(each, Arrived) for each in told)
    assert client.most_in_flight <= limit


def test_a_bug_in_one_call_is_reported_and_the_others_go_on():
    class Broken(Client):
        async def chat(self, request):
            if request.messages[0]["content"] == "2":
                raise KeyError("a bug")
            return await super().chat(request)

    first, second, third = asyncio.run(answers(Broken(), "123"))
    assert isinstance(second, NotArrived)
    assert isinstance(second.error, Unexpected)
    assert "KeyError: 'a bug'" in str(second.error)
    assert (first.completion.text, third.completion.text) == ("1", "3")


def test_an_exception_in_a_callback_fails_its_call_and_the_worker_goes_on():
    client = Client()
    told = []

    async def run():
        queue = queue_of(client, 1)

        def then(answer):
            told.append(answer)
            if isinstance(answer, Arrived) and answer.completion.text == "odd":
                raise TypeError("no usage")

        for text in ("odd", "2", "odd", "3"):
            queue.send(request(text), then)
        await until(lambda: len(told) == 6)
        await queue.close()

    asyncio.run(run())
    assert client.asked == ["odd", "2", "odd", "3"]
    failed = [each for each in told if isinstance(each, NotArrived)]
    assert [type(each.error) for each in failed] == [Unexpected, Unexpected]
    assert "TypeError: no usage" in str(failed[0].error)


def test_a_store_error_is_reported_unchanged():
    told = []

    async def run():
        queue = queue_of(Client(), 1)

        def then(answer):
            told.append(answer)
            if isinstance(answer, Arrived):
                raise StoreError("the disk is full")

        queue.send(request("1"), then)
        await until(lambda: len(told) == 2)
        await queue.close()

    asyncio.run(run())
    assert isinstance(told[1].error, StoreError)


def test_a_callback_that_raises_twice_does_not_end_the_worker():
    client, complaints = Client(), []

    async def run():
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context["exception"]))
        queue, told = queue_of(client, 1), []
        queue.send(request("1"), lambda _answer: 1 / 0)
        queue.send(request("2"), told.append)
        await until(lambda: told)
        await queue.close()

    asyncio.run(run())
    assert client.asked == ["1", "2"]
    assert [type(each) for each in complaints] == [ZeroDivisionError]


class Script(Client):
    """Fails according to the request's text: ``400 slow`` fails with status 400 when the test allows it."""

    def __init__(self):
        super().__init__()
        self.slow = asyncio.Event()

    async def chat(self, request):
        text = request.messages[0]["content"]
        self.asked.append(text)
        await asyncio.sleep(0)
        if "slow" in text:
            await self.slow.wait()
        kind = {"400": RequestRejected, "404": NotFound, "503": ServerFailed, "long": PromptTooLong}.get(
            text.split()[0]
        )
        if kind is not None:
            raise kind(f"{text} it is", status=400)
        return Completion(request.key, "s", "m", text, "stop"), b"{}"


async def run_script(texts, limit=4, retries=0):
    """The results of calls, sent in order; slow ones return when nothing else happens."""
    client, told = Script(), {}
    queue = ServerQueue(Server("s", "http://x/v1", max_concurrency=limit, max_retries=retries), client, 1, lambda: None)
    for text in texts:
        queue.send(request(text), lambda answer, text=text: told.__setitem__(text, answer))
    for _ in range(2000):
        await asyncio.sleep(0)
    client.slow.set()
    await until(lambda: len(told) == len(texts))
    await queue.close()
    return client, told


def numbered(kind, count, start=0):
    return [f"{kind} {n}" for n in range(start, start + count)]


@pytest.mark.parametrize(("kind", "least"), [("503", 20), ("404", 20), ("400", 100)])
def test_many_failures_in_a_row_close_a_model_and_unsent_calls_say_so(kind, least):
    client, told = asyncio.run(run_script(numbered(kind, 500)))
    assert least <= len(client.asked) < least + 4
    last = told[f"{kind} 499"]
    assert (type(last.error), last.attempts) == (NotSent, 0)
    assert (
        f"not sent: {len(client.asked)} calls in a row failed and none was answered; the last failure: {kind} "
        in str(last.error)
    )
    assert not last.error.permanent


@pytest.mark.parametrize(("kind", "count"), [("503", 30), ("404", 150), ("400", 150)])
def test_fast_failures_do_not_close_a_model_with_slow_answers(kind, count):
    client, told = asyncio.run(run_script(["fine slow", *numbered(kind, count), *numbered("fine", 50)]))
    assert len(client.asked) == count + 51
    assert sum(isinstance(each, Arrived) for each in told.values()) == 51


@pytest.mark.parametrize("kind", ["404", "400"])
def test_rejections_do_not_close_a_model_that_has_answered(kind):
    client, told = asyncio.run(run_script(["fine", *numbered(kind, 300), *numbered("fine", 5)]))
    assert len(client.asked) == len(told) == 306


def test_a_server_that_keeps_failing_is_closed_even_if_it_answered_before():
    client, _ = asyncio.run(run_script(["fine", *numbered("503", 300)]))
    assert len(client.asked) <= 25


def test_overlong_cases_do_not_affect_others():
    client, told = asyncio.run(run_script([*numbered("long", 300), "fine"], limit=1))
    assert len(client.asked) == 301
    assert isinstance(told["fine"], Arrived)


@given(
    st.lists(st.sampled_from(["fine", "fine slow", "400", "404", "503", "long", "400 slow"]), max_size=300),
    st.integers(1, 8),
)
@settings(max_examples=30, deadline=None)
def test_every_callback_runs_once_and_one_answer_in_twenty_calls_keeps_a_model_open(kinds, limit):
    texts = [f"{kind} {n}" for n, kind in enumerate(kinds)]
    client, told = asyncio.run(run_script(texts, limit))
    assert len(client.asked) == len(set(client.asked))
    unsent = [
        text
        for text, answer in told.items()
        if isinstance(answer.error if isinstance(answer, NotArrived) else None, NotSent)
    ]
    assert len(client.asked) + len(unsent) == len(texts)
    if all("fine" in kinds[n : n + 10] for n in range(0, len(kinds), 10)):
        assert not unsent


def test_after_close_nothing_is_sent_and_no_callback_runs():
    client = Client(turns=5, failing=["1"])

    async def run():
        queue, told = queue_of(client, 1), []
        for text in "123":
            queue.send(request(text), told.append)
        await until(lambda: client.asked)
        await queue.close()
        queue.send(request("4"), told.append)
        for _ in range(20):
            await asyncio.sleep(0)
        return told

    assert asyncio.run(run()) == []
    assert client.asked == ["1"]
