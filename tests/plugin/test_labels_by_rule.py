"""A classifier that drops a rare label, in a whole session: its pass rate hides that, but a rule for each label shows it."""

import json

from plugin.answering_server import chat_answer


def test_a_dropped_label_blocks_and_the_report_names_it(project):
    labels = ["left"] * 90 + ["right"] * 90 + ["rare"] * 20
    rows = [
        {"id": f"q-{i}", "question": f"{label} number {i}", "reference": label, "tags": [label]}
        for i, label in enumerate(labels)
    ]
    project.write("cases.jsonl", "\n".join(map(json.dumps, rows)))

    def label(body):
        return body["messages"][0]["content"].split()[0]

    def teacher(body):
        return 200, chat_answer("teacher", f"Label: {label(body)}.")

    def candidate(body):
        return 200, chat_answer("candidate", label(body).replace("rare", "left"))

    project.server.scripted |= {
        "teacher": teacher,
        "base": lambda body: (200, chat_answer("base", "no idea")),
        "candidate": candidate,
    }
    classify = 'classification(completion.text, case.reference, labels=["left", "right", "rare"])'

    def gate(*rules):
        project.suite(classify, parameters="case, completion, classification", gate=f"[{', '.join(rules)}]")
        text = (project.root / "suites/test_numbers.py").read_text()
        project.write("suites/test_numbers.py", text.replace("import at_least", "import critical_slice, at_least"))
        return project.run()

    whole = gate('better_than("base")', 'not_worse_than("teacher", margin=0.15)')
    assert whole.ret == 0  # ten points lost of the pass rate
    whole.stdout.fnmatch_lines(
        [
            "*candidate: macro F1 0.633; recall by label, the weakest first: rare 0 % of 20, left 100 % of 90, right 100 %*"
        ]
    )
    each = gate(
        'better_than("base")', *(f'critical_slice("{label}", margin=0.15)' for label in ("left", "right", "rare"))
    )
    assert each.ret == 1
    each.stdout.fnmatch_lines(["*block:*rare*"])
