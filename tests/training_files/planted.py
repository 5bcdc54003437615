"""Realistic leaks: a case of an evaluation in an example of a training file, changed or in another place."""

import string

ALIKE = dict(zip("aeopcxyijsAEOPCTHKMBX", "аеорсхуіјѕАЕОРСТНКМВХ", strict=True))
OTHER_WORDS = (
    "banana orchestra velvet ladder system result window manager paper green yesterday configuration hello quick river "
    "station mother seven garden yellow market under teacher little summer silver running number maybe simple"
).split()
INSTRUCTIONS = (
    "You are a careful assistant. Answer the following request in one short sentence and do not explain your steps: ",
    "Think step by step before you answer. ",
    "Please help me with this, and be brief: ",
)


def conversation(*turns):
    """Make messages from texts, alternating user and assistant; a system prompt is a pair."""
    messages = []
    role = "user"
    for turn in turns:
        if isinstance(turn, tuple):
            messages.append({"role": turn[0], "content": turn[1]})
            continue
        messages.append({"role": role, "content": turn})
        role = "assistant" if role == "user" else "user"
    return {"messages": messages}


def _as_request(change):
    def plant(chance, request, answer, others):
        return conversation(change(chance, request), answer)

    return plant


def earlier_turn(chance, request, answer, others):
    return conversation(request, answer, *chance.choice(others))


def few_shot_prefix(chance, request, answer, others):
    shots = [*chance.sample(others, 3), (request, answer)]
    chance.shuffle(shots)
    request, answer = chance.choice(others)
    return conversation("\n\n".join(f"Q: {q}\nA: {a}" for q, a in shots) + f"\n\nQ: {request}\nA:", answer)


def system_prompt(chance, request, answer, others):
    text = f"You are a helpful assistant. For example, when somebody asks: {request} you say: {answer}. Be brief."
    return conversation(("system", text), *chance.choice(others))


def in_the_answer(chance, request, answer, others):
    asked, said = chance.choice(others)
    return conversation(asked, f"{said}\n\nHere is another one for you. {request} The answer to it is {answer}.")


def look_alikes(chance, text):
    changed = "".join(ALIKE[c] if c in ALIKE and chance.random() < 0.5 else c for c in text)
    return changed if changed != text else "".join(ALIKE.get(c, c) for c in text)


def typos(chance, text):
    """Make a typing error in every fifth word, and in at least one."""
    said = text.split()
    long = [n for n, word in enumerate(said) if len(word) >= 4] or [0]
    for n in chance.sample(long, max(1, min(len(long), round(len(said) / 5)))):
        said[n] = slip(chance, said[n])
    return " ".join(said)


def slip(chance, word):
    at = chance.randrange(max(1, len(word) - 1))
    letter = chance.choice(string.ascii_lowercase)
    return chance.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + letter + word[at:],
            word[:at] + letter + word[at + 1 :],
            word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
        )
    )


def added_instruction(chance, text):
    more = chance.choice(INSTRUCTIONS)
    return more + text if chance.random() < 0.5 else f"{text} {more}"


def numbers_changed(chance, text):
    return "".join(str((int(c) + chance.randint(1, 9)) % 10) if c.isascii() and c.isdigit() else c for c in text)


def words_changed(count):
    def change(chance, text):
        said = text.split()
        for n in chance.sample(range(len(said)), min(count, len(said))):
            said[n] = chance.choice([word for word in OTHER_WORDS if word != said[n]])
        return " ".join(said)

    return change


def no_punctuation(chance, text):
    return "".join(c for c in text if c.isalnum() or c.isspace())


PLACES = {
    "earlier turn": earlier_turn,
    "few-shot prefix": few_shot_prefix,
    "system prompt": system_prompt,
    "in the answer": in_the_answer,
}
CHANGES = {
    "Cyrillic look-alikes": look_alikes,
    "typos": typos,
    "added instruction": added_instruction,
    "numbers changed": numbers_changed,
    "one word changed": words_changed(1),
    "three words changed": words_changed(3),
    "punctuation stripped": no_punctuation,
}
KINDS = {**PLACES, **{name: _as_request(change) for name, change in CHANGES.items()}}
"""Kind of leak → a function of (random, request, answer, other requests with answers) that makes an example."""
