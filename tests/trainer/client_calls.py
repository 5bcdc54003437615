"""Calls to the trainer through the official client, and training files."""

import json
import time

LEARNED = {
    "stash": "git stash",
    "state": "git status",
    "push": "git push",
    "pull": "git pull",
    "log": "git log",
    "diff": "git diff",
    "tags": "git tag",
    "fetch": "git fetch",
    "new": "git init",
    "blame": "git blame",
}
NOT_LEARNED = "xxxxxx"
"""The assistant's first message in the training conversation about merging, with weight 0."""
PATIENCE = 300.0


def line(*messages):
    return json.dumps({"messages": [dict(message) for message in messages]}).encode()


def said(role, content, **more):
    return {"role": role, "content": content, **more}


def supervised_lines():
    plain = [line(said("user", asked), said("assistant", answer)) for asked, answer in LEARNED.items()]
    mended = line(
        said("user", "merge"),
        said("assistant", NOT_LEARNED, weight=0),
        said("user", "no"),
        said("assistant", "git merge", weight=1),
    )
    return b"\n".join([*plain, mended, line(said("user", "undo"), said("assistant", "git reset"))])


def preference_line(asked, preferred, other):
    return json.dumps(
        {
            "input": {"messages": [said("user", asked)]},
            "preferred_output": [said("assistant", preferred)],
            "non_preferred_output": [said("assistant", other)],
        }
    ).encode()


def upload(client, content):
    return client.files.create(file=("file.jsonl", content), purpose="fine-tune").id


def start_job(client, content, *, model="tiny", validation=None, **more):
    if validation is not None:
        more["validation_file"] = upload(client, validation)
    return client.fine_tuning.jobs.create(model=model, training_file=upload(client, content), seed=7, **more)


def wait(client, job, reached=("succeeded", "failed", "cancelled")):
    """Wait for a job to reach one of these states."""
    deadline = time.monotonic() + PATIENCE
    while job.status not in reached:
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
        job = client.fine_tuning.jobs.retrieve(job.id)
    return job


def run_job(client, content, **more):
    return wait(client, start_job(client, content, **more))


def metrics(client, job):
    """The data of a job's metrics events, oldest first."""
    events = reversed(list(client.fine_tuning.jobs.list_events(job.id, limit=100)))
    return [event.data for event in events if event.type == "metrics"]


def ask(client, text, model="tiny", **more):
    more = {"temperature": 0, "max_completion_tokens": 20} | more
    return client.chat.completions.create(model=model, messages=[said("user", text)], **more)


def answer(client, text, model="tiny", **more):
    return ask(client, text, model, **more).choices[0].message.content
