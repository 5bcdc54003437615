"""The demo's models do not read the demo's data, and their embeddings compare spelling."""

import ast
from pathlib import Path

import distilltest.demo_models


def test_embeddings_of_near_texts_are_near(client):
    answer = client.embeddings.create(
        model="embedded-teacher", input=["show the status", "show status", "delete a tag"]
    )
    first, near, far = (item.embedding for item in answer.data)
    product = lambda a, b: sum(x * y for x, y in zip(a, b, strict=True))  # noqa: E731
    assert product(first, near) > product(first, far)


def test_the_models_read_no_files():
    for name in (
        "features",
        "training_job",
        "training_steps",
        "lexicon",
        "retrieval",
        "preferences",
        "rulebook",
        "rules",
        "tokens",
        "student",
    ):
        source = Path(distilltest.demo_models.__file__).with_name(f"{name}.py").read_text()
        assert "fixtures" not in source
        called = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
        assert not called & {"open", "Path", "__import__"}
