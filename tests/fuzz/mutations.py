"""Creates invalid files: takes a valid file, the seed, and changes some bytes, lines, tokens or values."""

import copy
import json
from random import Random

WORDS = r"""
null true false ~ 0 -1 1e999 -1e308 1e9 .inf -.inf .nan NaN Infinity 2026-13-45 2026-11-21 no on 0x1F 0o7 007 1_000 12:30:45
18446744073709551616 -9223372036854775809 !!int !!binary !!set !!timestamp !!python/object/apply:os.system !x &a *a *b <<:
? : - -- --- ... | > |2- >+9 % %YAML %TAG @ ` [ ] { } , # [[[[ ]]]] {{ }} {{item.x}} {{item[0]}} {{item[99999999999999]}}
\ud800 \u0000 \x00 \U00110000 ${HOME} ${} ' " "" "a":1,"a":2 {} [] http://[ https:// embedded: ../../../etc/passwd
/dev/zero . .. $ref # $defs ^(a+)+$ (?P< [z-a]
"""
SIGNS = ("\0", "\x1b[2J", "\u202e", "\ufeff", "\x85", "\u2028", "\t", "\r", "\n", " ", "\U0010ffff", "é")
TOKENS = (*WORDS.split(), *SIGNS)
"""Tokens with a meaning in some text format."""

VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1,
    0.5,
    -0.0,
    1e308,
    5e-324,
    1e9,
    10**9,
    2**63,
    2**64 - 1,
    -(2**63),
    2**64,
    10**30,
    "",
    " ",
    "\n",
    "\0",
    "a\0b",
    "\x1b[2J",
    "\u202e",
    "x" * 5_000,
    "no",
    "2026-13-45",
    "1e5",
    "{{ item.x }}",
    "{{",
    "{{ sample.output_json.a }}",
    "http://[",
    "#/$defs/a",
    "#",
    "^(a+)+$",
    "[z-a]",
    "../x",
    "/",
    ".",
    "é" * 300,
    [],
    {},
    [[]],
    [None],
    ["a"],
    {"": ""},
    {"a": {"a": {}}},
    {"$ref": "#"},
    {"<<": {}},
    {"id": 1, "id ": 2},
)
"""Values to put where others are expected."""


def mutated(content: bytes, random: Random, kind: str) -> bytes:
    """Mutate a file.

    Args:
        content: A valid file.
        random: The source of randomness.
        kind: The file's extension; values are changed only in JSON, JSONL and YAML.
    """
    changes = random.choice((1, 1, 1, 2, 3, 6))
    if kind in ("json", "jsonl", "yaml"):  # values first, because parsing an alias bomb here would hang
        while changes and random.random() < 0.6:
            content = _other_value(content, random, kind)
            changes -= 1
    for _ in range(changes):
        content = random.choice(_CHANGES)(content, random)
    return content[:2_000_000]


def _place(content, random):
    return random.randrange(len(content) + 1)


def _slice(content, random):
    start = _place(content, random)
    return start, min(len(content), start + random.choice((1, 2, 5, 20, 100)))


def _flip(content, random):
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 3, 10))):
        if changed:
            changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _cut(content, random):
    return content[: _place(content, random)]


def _without(content, random):
    start, end = _slice(content, random)
    return content[:start] + content[end:]


def _again(content, random):
    start, end = _slice(content, random)
    return content[:end] + content[start:end] * random.choice((1, 2, 50)) + content[end:]


def _token(content, random):
    start, end = _slice(content, random) if random.random() < 0.5 else (_place(content, random),) * 2
    token = random.choice(TOKENS).encode("utf-8", "surrogatepass")
    return content[:start] + token * random.choice((1, 1, 1, 2, 200)) + content[end:]


def _lines(content, random):
    lines = content.split(b"\n")
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    if random.random() < 0.5:
        lines[one], lines[other] = lines[other], lines[one]
    else:
        lines.insert(one, lines[other])
    return b"\n".join(lines)


def _indent(content, random):
    lines = content.split(b"\n")
    number = random.randrange(len(lines))
    lines[number] = random.choice((b" ", b"  ", b"\t", b"- ", b"? ", b"# ", b"")) + lines[number].lstrip()
    return b"\n".join(lines)


def _nest(content, random):
    opening, closing = random.choice(
        ((b"[", b"]"), (b'{"a":', b"}"), (b"- ", b""), (b"{a: ", b"}"), (b"[[{x: ", b"}]]"), (b"? ", b""))
    )
    depth, place = random.choice((50, 101, 500, 5_000, 100_000)), _place(content, random)
    if random.random() < 0.3:
        content, place = b"", 0
    return content[:place] + opening * depth + b"1" + closing * (depth * (random.random() < 0.7)) + content[place:]


def _encoding(content, random):
    text = content.decode("utf-8", "replace")
    encoding = random.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp1252", "utf-7"))
    return text.encode(encoding, "replace")


def _bomb(content, random):
    width, levels = random.choice(((10, 9), (2, 40), (30, 5))), None
    width, levels = width
    form = random.choice(("[{}]", "{{x: [{}]}}", "{{<<: [{}]}}"))
    first = "{k0: lol, k1: lol}" if "<<" in form else "[lol, lol]"
    lines = [f"z0: &z0 {first}"]
    lines += [f"z{n}: &z{n} {form.format(', '.join([f'*z{n - 1}'] * width))}" for n in range(1, levels)]
    if random.random() < 0.3:
        lines = [f"- &a {'x' * 10_000}", *["- *a"] * 5_000]
    bomb = "\n".join(lines).encode()
    return random.choice((bomb, bomb + b"\n" + content, content + b"\n" + bomb))


def _long(content, random):
    start = _place(content, random)
    return (
        content[:start]
        + random.choice((b"x", b"9", b" ", b"\n", b'"', b"\\", b"{{", b"a,", b"\0")) * 200_000
        + content[start:]
    )


_CHANGES = (_flip, _cut, _without, _again, _token, _token, _token, _lines, _indent, _nest, _encoding, _bomb, _long)


def _other_value(content, random, kind):
    """Change one value of a file, and serialize the file again."""
    import yaml

    try:
        if kind == "jsonl":
            lines = content.split(b"\n")
            number = random.randrange(len(lines))
            lines[number] = _dumped(_changed(json.loads(lines[number]), random), random)
            return b"\n".join(lines)
        value = json.loads(content) if kind == "json" else yaml.load(content, Loader=yaml.CSafeLoader)
        changed = _changed(value, random)
        if kind == "json":
            return _dumped(changed, random)
        return yaml.dump(changed, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True).encode()
    except (ValueError, TypeError, RecursionError, IndexError, AttributeError, yaml.YAMLError):
        return _flip(content, random)


def _dumped(value, random):
    return json.dumps(value, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


def _changed(value, random):
    value = copy.deepcopy(value)
    parts = list(_parts(value, 0))
    if not parts or random.random() < 0.02:
        return random.choice(VALUES)
    holder, key = random.choice(parts)
    action = random.random()
    if action < 0.7:
        holder[key] = copy.deepcopy(random.choice(VALUES))
    elif action < 0.8:
        other, place = random.choice(parts)
        holder[key] = copy.deepcopy(other[place])
    elif isinstance(holder, list):
        holder.insert(key, copy.deepcopy(random.choice(VALUES)))
    elif action < 0.9:
        del holder[key]
    else:
        holder[random.choice(("", "a", "id", "messages", "role", "type", "$ref", "content", "x" * 200))] = (
            random.choice(VALUES)
        )
    return value


def _parts(value, depth):
    if depth < 30 and isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _parts(value[key], depth + 1)
