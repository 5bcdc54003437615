"""The imports of a run: each module takes a millisecond or more, which a run from the store shows."""

import json
import subprocess
import sys
from importlib.util import find_spec

from processes import PATIENCE

NEEDLESS = """
aiohttp jsonschema openai rapidfuzz scipy
distilltest.server distilltest.exchange distilltest.finetuning distilltest.distillation distilltest.distillation.learning_curve
distilltest.demo_models distilltest.cli distilltest.trainer distilltest.judges distilltest.pytest_plugin.fixtures.judged
distilltest.evaluations.estimate distilltest.evaluations.labels distilltest.evaluations.rehearsal
distilltest.gate.advice distilltest.gate.shares distilltest.gate.slices distilltest.graders.similarity
distilltest.graders.openai_format distilltest.graders.python_process distilltest.graders.schema_mistake
distilltest.reporting.plan distilltest.statistics.agreement distilltest.statistics.clusters
distilltest.statistics.observed distilltest.statistics.planning distilltest.statistics.prediction_powered
distilltest.statistics.recovered distilltest.statistics.shrinkage distilltest.statistics.signs
distilltest.statistics.skewness distilltest.statistics.slices
""".split()
"""Modules and packages that an evaluation of pass and fail, with its answers in the store, does without."""
RUN = """
import json, pytest, sys
code = pytest.main(["suites", "-q", "-p", "no:cacheprovider", "-p", "no:anyio", "-p", "no:hypothesispytest"])
print(json.dumps([int(code), sorted(sys.modules)]))
"""


def test_a_run_from_the_store_imports_only_what_it_needs(project):
    project.cases(60)
    project.suite(gate='[at_least(0.5), not_worse_than("teacher", margin=0.2)]')
    assert project.run().ret == 0
    done = subprocess.run(
        [sys.executable, "-c", RUN], check=False, cwd=project.root, capture_output=True, text=True, timeout=PATIENCE
    )
    code, imported = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stdout
    assert all(map(find_spec, NEEDLESS))  # else it would be about modules that are gone
    assert [name for name in NEEDLESS if name in imported] == []
