"""Chat and fine-tuning jobs on the embedded server, through the official client."""

import json

from processes import until


def ask(client, text, model="embedded-teacher", **more):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


def lines(count=12):
    """A training file that teaches ``git switch``."""
    return b"\n".join(
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": f"go to b-{i}"},
                    {"role": "assistant", "content": f"git switch b-{i}"},
                ]
            }
        ).encode()
        for i in range(count)
    )


def upload(client, data):
    return client.files.create(file=("train.jsonl", data), purpose="fine-tune").id


def ended(client, job):
    until(lambda: client.fine_tuning.jobs.retrieve(job.id).status in ("succeeded", "failed", "cancelled"))
    return client.fine_tuning.jobs.retrieve(job.id)


def run_job(client, data, model="embedded-student", **more):
    return ended(client, client.fine_tuning.jobs.create(model=model, training_file=upload(client, data), **more))
