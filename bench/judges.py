"""Measures two waves of calls, 1,000 answers and a judge's verdict on each, compared with the bound for both."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from bench.throughput import AT_ONCE, CASES, LATENCY, start


def main() -> None:
    """Measure and print."""
    import aiohttp

    from distilltest.completions.engine import Engine
    from distilltest.config import load_config
    from distilltest.evaluations.declaration import Evaluation
    from distilltest.evaluations.grading import PER_CALL_CASE, PER_CALL_COMPLETION, BoundBody
    from distilltest.evaluations.plan import Plan
    from distilltest.evaluations.runner import Runner
    from distilltest.evaluations.selection import CaseSelection
    from distilltest.gate import at_least
    from distilltest.pytest_plugin.fixtures.judged import CriteriaMatch
    from distilltest.store import Store

    assert aiohttp.__version__  # import before measuring
    process, url = start(LATENCY)

    def body(case: Any, completion: Any, criteria_match: Any) -> None:
        criteria_match(completion.text, f"It is right for {case.id}.")

    bound = 2 * CASES * LATENCY / AT_ONCE
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "distilltest.yaml").write_text(
            f"servers:\n  s: {{base_url: '{url}', max_concurrency: {AT_ONCE}}}\n"
            "models:\n  candidate: {server: s, model: c}\njudge: {server: s, model: j, structured: false}\n"
        )
        (root / "prompt.yaml").write_text('messages:\n  - {role: user, content: "{{ item.id }}"}\n')
        (root / "cases.jsonl").write_text("".join(json.dumps({"id": f"c{n}"}) + "\n" for n in range(CASES)))
        config = load_config(root)
        declared = Evaluation(body, "cases.jsonl", "prompt.yaml", (at_least(0.5),))
        grader = CriteriaMatch.__new__(CriteriaMatch)  # without pytest's request: a judge is configured
        bound_body = BoundBody.of(
            body, "body", {"case": PER_CALL_CASE, "completion": PER_CALL_COMPLETION, "criteria_match": grader}
        )
        with Store.open(config.store_path) as store, Engine(config, store) as engine:
            plan = Plan.of("bench", declared, config, CaseSelection(None, (), (), None))
            store.start_run("run", started=0.0, command="bench")
            result = Runner(config, store, engine, "run", lambda *_: None).evaluate(plan, bound_body)
            kept = [stored.completion for stored in store.find_completions()]
            calls = max(c.created for c in kept) - min(c.created - c.latency for c in kept)
    process.terminate()
    print(
        f"{CASES} answers and {CASES} judgements of {LATENCY * 1000:.0f} ms, {AT_ONCE} at once; {len(kept)} requests sent"
    )
    print(f"{result.verdict.sentence}")
    print(f"first request to last answer: {calls:.2f} s, {calls / bound:.2f} x the bound of {bound:.2f} s")
    print(f"with grading, comparison and verdict: {result.seconds:.2f} s")


if __name__ == "__main__":
    main()
