"""Each request is answered exactly once: random sessions of engines on one store, in virtual time.

Engines share the store; evaluations share keys and are graded while others are fetched ahead, judges ask one by one, an interim
look asks again what it has seen, calls fail and are tried again, processes end and are killed, ``--fresh`` and ``--offline`` run
beside the others. What must hold is checked by the server at each call, and at the end.
"""

import asyncio
import itertools
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from completions.virtual import VirtualEngine, VirtualLoop, VirtualServer, open_store, request_for
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from distilltest.completions.dispatcher import Dispatcher
from distilltest.records import CallFailure, Completion
from distilltest.store import Claims, inserting, reading
from distilltest.store.reading import Reader
from distilltest.store.rows import read_completion

KEYS = [
    "good 0.01 a",
    "good 0.01 b",
    "good 0.05 c",
    "good 0 d",
    "shaky 0.02 e",
    "rejected 0.01 f",
    "busy 0 g",
    "good 1 h",
]
REQUESTS = {text: request_for(text) for text in KEYS}
TEXT_OF = {request.key: text for text, request in REQUESTS.items()}
some_keys = st.lists(st.sampled_from(KEYS), min_size=1, max_size=6)
which = st.integers(0, 2)


class Engines(RuleBasedStateMachine):
    """Up to three processes with an engine each."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "store.sqlite3"
        self.look = open_store(self.path, self.loop)
        self.server = VirtualServer(self.loop, self.look._connection)
        self.names = itertools.count()
        self.engines: list[VirtualEngine] = []
        self.told: list[tuple[VirtualEngine, str, object]] = []
        self.evaluations: list = []
        self.waiting: list[tuple[VirtualEngine, asyncio.Future]] = []
        self.ended: list[VirtualEngine] = []

    @initialize(
        kinds=st.lists(st.sampled_from(["worker", "worker", "alone", "fresh", "offline"]), min_size=1, max_size=3),
        most=st.integers(1, 4),
    )
    def start(self, kinds, most):
        self.most = most
        for kind in kinds:
            self.begin(kind)

    def begin(self, kind):
        name = f"{kind} {next(self.names)}"
        session = "run" if kind == "worker" else name
        self.engines.append(
            VirtualEngine(
                name, self.server, self.path, session, most=self.most, fresh=kind == "fresh", offline=kind == "offline"
            )
        )

    def engine(self, number):
        return self.engines[number % len(self.engines)]

    def note(self, engine, answer):
        """Record a reported result."""
        if isinstance(answer, CallFailure):
            self.told.append((engine, TEXT_OF[answer.key], answer))
            if answer.attempts:
                self.server.failed.add((engine.session, answer.key))
        elif isinstance(answer, Completion):
            self.told.append((engine, TEXT_OF[answer.key], answer))

    @rule(number=which, keys=some_keys)
    def fetch_ahead(self, number, keys):
        self.engine(number).prefetch([REQUESTS[key] for key in keys])

    @rule(number=which, keys=some_keys, ahead=st.booleans())
    def evaluate(self, number, keys, ahead):
        engine = self.engine(number)
        if ahead:
            engine.prefetch([REQUESTS[key] for key in keys])
        self.evaluations.append((engine, keys, engine.results([REQUESTS[key] for key in keys]), set()))

    @precondition(lambda self: self.evaluations)
    @rule(number=st.integers(0, 10), steps=st.integers(1, 6))
    def grade(self, number, steps):
        engine, keys, answers, seen = each = self.evaluations[number % len(self.evaluations)]
        if engine in self.ended:
            self.evaluations.remove(each)
            return
        for _ in range(steps):
            try:
                index, answer = next(answers)
            except StopIteration:
                self.evaluations.remove(each)
                assert seen == set(range(len(keys))), "somebody was not answered"
                return
            assert index not in seen
            assert answer.key == REQUESTS[keys[index]].key
            seen.add(index)
            self.note(engine, answer)

    @rule(number=which, key=st.sampled_from(KEYS))
    def judge(self, number, key):
        engine = self.engine(number)
        engine._started()
        task = self.loop.create_task(engine.complete(REQUESTS[key]))
        task.add_done_callback(
            lambda done: None if done.cancelled() or done.exception() else self.note(engine, done.result())
        )
        self.waiting.append((engine, task))

    @precondition(lambda self: self.waiting)
    @rule(number=st.integers(0, 10))
    def cancel_a_judge(self, number):
        self.waiting.pop(number % len(self.waiting))[1].cancel()

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.004, 0.02, 0.06, 1.0, 20.0]))
    def let_time_pass(self, seconds):
        self.loop.advance(seconds)

    @rule(number=which, kill=st.booleans(), kind=st.sampled_from(["worker", "alone", "fresh"]))
    def end_a_process(self, number, kill, kind):
        engine = self.engine(number)
        self.engines.remove(engine)
        self.ended.append(engine)
        for each in [each for each in self.waiting if each[0] is engine]:
            self.waiting.remove(each)
            if kill:
                each[1].cancel()
        (engine.kill if kill else engine.stop)()
        if kill:  # a failure that was not written yet is forgotten with its process
            query = "SELECT session.name, key FROM call_failure JOIN session ON session.id = session"
            self.server.failed &= {(name, key.hex()) for name, key in self.look._connection.execute(query)}
        self.begin(kind)

    def invariant(self):
        assert not self.server.broken, self.server.broken

    def teardown(self):
        try:
            for engine, keys, answers, seen in list(self.evaluations):
                if engine in self.ended:
                    continue
                for index, answer in answers:
                    seen.add(index)
                    self.note(engine, answer)
                assert seen == set(range(len(keys)))
            self.loop.run_until(lambda: all(task.done() for _, task in self.waiting))
            self.loop.advance(200)  # what was fetched ahead
            self.invariant()
            self.what_was_graded_is_what_is_stored()
            self.counts_are_the_servers()
        finally:
            for engine in self.engines:
                engine.stop()
            self.look.close()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()
            self.folder.cleanup()

    def what_was_graded_is_what_is_stored(self):
        first: dict[str, set[int]] = {}
        for _, text, answer in self.told:
            if isinstance(answer, Completion):
                stored = self.look.completions_by_id([answer.id]).get(answer.id)
                assert stored is not None, "the answer that was graded is gone"
                assert stored.text == answer.text, "another text was graded than is stored"
                assert stored.key == answer.key
                first.setdefault(text, set()).add(answer.id)
        if not any(engine.fresh for engine in (*self.engines, *self.ended)):
            for text, numbers in first.items():
                assert len(numbers) == 1, f"{text}: {len(numbers)} answers to one request"

    def counts_are_the_servers(self):
        for engine in (*self.engines, *self.ended):
            assert engine.counts.sent == self.server.received[engine.name]
            query = "SELECT count(*) FROM completion LEFT JOIN session ON session.id = session WHERE session.name <> ?"
            if not self.look._connection.execute(query, (engine.session,)).fetchone()[0]:
                assert engine.counts.from_store == 0, "its own answers were counted as stored before"


_SETTINGS = {"stateful_step_count": 25, "deadline": None, "suppress_health_check": list(HealthCheck)}
Engines.TestCase.settings = settings(max_examples=100, **_SETTINGS)
TestEngines = Engines.TestCase


def without_looking(patch, method):
    """Make a method of the dispatcher find nothing in the store."""
    real = getattr(Dispatcher, method)

    def run(self, *arguments):
        reading = self.reading
        self.reading = SimpleNamespace(find=lambda keys: {}, known=lambda keys: set(), failures=reading.failures)
        try:
            return real(self, *arguments)
        finally:
            self.reading = reading

    patch.setattr(Dispatcher, method, run)


def looks_nothing_up(patch):
    """A request is sent without another lookup."""
    without_looking(patch, "_look_up")
    without_looking(patch, "_claim")


def looks_before_it_claims(patch):
    """An answer that is stored between lookup and claim is missed."""
    without_looking(patch, "_claim")


def forgets_failures(patch):
    """A failed request is sent again for the next caller."""
    kept = Dispatcher._record_failure

    def forget(self, failure):
        kept(self, failure)
        self._failed.clear()

    patch.setattr(Dispatcher, "_record_failure", forget)
    patch.setattr(Reader, "failures", lambda self, keys: {})


def forgets_who_is_under_way(patch):
    """Each caller sends its own request."""
    ask = Dispatcher.ask_one

    def ask_again(self, request, receiver=None):
        if request.key in self._receivers:
            self._new.append(request)
            self._look_up_soon()
        ask(self, request, receiver)

    patch.setattr(Dispatcher, "ask_one", ask_again)


def claims_nothing(patch):
    """Processes ignore each other's claims."""
    patch.setattr(Claims, "take", lambda self, keys: set(keys))


def the_last_answer_wins(patch):
    """A second answer replaces the graded one."""
    claims_nothing(patch)
    patch.setattr(Engines, "invariant", lambda self: None)  # which would find that it was asked twice
    statement = inserting._statement
    patch.setattr(
        inserting, "_statement", lambda rows: statement(rows).replace("INSERT INTO", "INSERT OR REPLACE INTO")
    )
    patch.setattr(inserting, "_committed", lambda connection, keys: ({}, {}))


def hands_out_its_own_answer(patch):
    """The second caller grades an answer that is not stored."""
    claims_nothing(patch)
    patch.setattr(Engines, "invariant", lambda self: None)
    saved = Dispatcher._saved

    def hand_out(self, request, completion, future):
        future = asyncio.get_running_loop().create_future() if future.cancelled() else future
        if future.done() and not future.cancelled() and future.exception() is None:
            own = asyncio.get_running_loop().create_future()
            own.set_result(future.result()._replace(mine=True))
            future = own
        saved(self, request, completion, future)

    patch.setattr(Dispatcher, "_saved", hand_out)


def counts_its_own_answers_as_stored(patch):
    """An answer of this session counts as stored before."""
    patch.setattr(reading, "read_completion", lambda row, origins, session=None: read_completion(row, origins, None))


@pytest.mark.parametrize(
    ("mistake", "found"),
    [
        (looks_nothing_up, "although it had landed"),
        (forgets_failures, "although it had failed"),
        (forgets_who_is_under_way, "while it was in flight|although it had landed"),
        (claims_nothing, "in flight|although it had landed"),
        (looks_before_it_claims, "although it had landed"),
        (the_last_answer_wins, "answers to one request|that was graded is gone"),
        (counts_its_own_answers_as_stored, "its own answers"),
        (hands_out_its_own_answer, "another text"),
    ],
)
def test_the_model_finds_each_planted_mistake(mistake, found, monkeypatch):
    mistake(monkeypatch)
    with pytest.raises(AssertionError, match=found):
        run_state_machine_as_test(
            Engines,
            settings=settings(
                max_examples=1000,
                database=None,
                derandomize=True,
                report_multiple_bugs=False,
                phases=[Phase.generate],  # the smallest example is not wanted
                **_SETTINGS,
            ),
        )
