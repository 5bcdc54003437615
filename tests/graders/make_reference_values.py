"""Write reference_values.json: the results of the reference libraries for 50 pairs of texts and some stems.

Run it where they are installed, in an environment of its own (they are no dependency of distilltest):

    python -m venv /tmp/reference && /tmp/reference/bin/pip install nltk rouge-score rapidfuzz
    /tmp/reference/bin/python tests/graders/make_reference_values.py
"""

import json
import platform
import unicodedata
from importlib.metadata import version
from pathlib import Path

PAIRS = [
    ("the cat sat on the mat", "the cat sat on the mat"),
    ("the cat sat on a mat", "the cat sat on the mat"),
    ("on the mat sat the cat", "the cat sat on the mat"),
    ("the the the the the the the", "the cat is on the mat"),
    ("The Cat Sat On The Mat", "the cat sat on the mat"),
    ("a dog", "the cat sat on the mat"),
    ("mat", "mat"),
    ("mat", "the cat sat on the mat"),
    ("the cat sat on the mat", "mat"),
    ("the mat", "the mat"),
    ("on the mat", "on the mat"),
    ("cat the", "the cat"),
    ("", ""),
    ("", "mat"),
    ("mat", ""),
    (" \n\t", "..."),
    ("...", "..."),
    ("Hello, world!", "Hello world"),
    ("Don't panic!", "Do not panic."),
    ("the value of pi is 3.14159 to five decimals", "the value of pi is 3.14 to two"),
    (
        "It is a guide to action which ensures that the military always obeys the commands of the party",
        "It is a guide to action that ensures that the military will forever heed Party commands",
    ),
    (
        "It is to insure the troops forever hearing the activity guidebook that party direct",
        "It is a guide to action that ensures that the military will forever heed Party commands",
    ),
    ("git log --oneline -n 5", "git log -5 --oneline"),
    ("git log --oneline --graph --all -n 5", "git log --oneline --graph --all --decorate -n 5"),
    ("git checkout -b feature/x origin/main", "git switch -c feature/x origin/main"),
    ("git commit -m 'Fix the parser'", 'git commit --message="Fix the parser"'),
    ("Run `git status` to see what has changed.", "git status"),
    ("generalizations of relational hopefulness", "generalization of the relations and hope"),
    ("He was running, jumping and skied down the hills", "he runs, jumps and skis down a hill"),
    ("studies show that flies are dying", "a study shows that a fly dies"),
    ("the quick brown fox jumps over the lazy dog", "the quick brown dog jumps on the log."),
    ("the lazy dog jumps over the quick brown fox", "the quick brown fox jumps over the lazy dog"),
    ("a b c d e f g h", "a b c d x e f g h"),
    ("a b c d e f g h", "h g f e d c b a"),
    ("a b a b a b a b c", "a b a b a b c a b a b"),
    ("one two three four five six seven", "one two three four five six seven eight nine ten"),
    ("Größe und Maß", "Größe und Mass"),
    ("Zoë visited the café", "Zoe visited the cafe"),
    ("東京は日本の首都です", "東京は日本の首都です"),
    ("東京 は 首都", "東京 は 日本 の 首都"),
    ("Привет, мир", "Привет мир"),
    ("\N{PARTY POPPER} done \N{PARTY POPPER}", "done"),
    ("x = {'a': [1, 2, 3]}", "x = {'a': [1, 2, 4]}"),
    ("def f(x):\n    return x + 1\n", "def f(y):\n    return y + 1\n"),
    ("SELECT name FROM users WHERE id = 3;", "select name from users where id=3"),
    ("The capital of France is Paris.", "Paris"),
    ("Yes: the capital of France is Paris, today.", "The capital of France is Paris."),
    (
        "A refund takes up to five working days. You will get an e-mail once it has been sent.",
        "A refund takes up to five working days; we e-mail you once it was sent.",
    ),
    (
        "First, preheat the oven to 180 degrees. Then mix flour, sugar and eggs. Bake for thirty minutes.",
        "Mix the flour with sugar and eggs, preheat the oven to 180 degrees, and bake it for half an hour.",
    ),
    (" ".join(["word"] * 40), " ".join(["word"] * 60)),
    ("यह एक छोटा वाक्य है जो हिंदी में है", "यह एक छोटा वाक्य था जो हिन्दी में है"),
    ("नमस्ते दुनिया", "नमस्ते, दुनिया!"),
    ("আমি বাংলায় গান গাই", "আমি বাংলায় গান গাইছি"),
    ("தமிழ் ஒரு மொழி", "தமிழ் ஒரு பழைய மொழி"),
    ("ภาษาไทย เป็น ภาษา ที่ สวยงาม", "ภาษาไทย เป็น ภาษา ที่ ยาก"),
    ("السَّلَامُ عَلَيْكُمْ يا صديقي", "السَّلَامُ عَلَيْكُمْ يا أخي"),
    ("Zoe\u0308 visited the cafe\u0301 today", "Zoe\u0308 visited the cafe\u0301 yesterday"),
    ("½ of x² is ¼", "½ of x² is ⅓"),
    ("می\u200cخواهم بروم", "می\u200cخواهم بمانم"),
    ("\N{CIRCLED LATIN CAPITAL LETTER A}b and 3\x1c4", "\N{CIRCLED LATIN CAPITAL LETTER A}c and 3\x1c5"),
]
WORDS = """
    caresses ponies ties dies flies cats feed agreed plastered bled motoring sing conflated troubled sized hopping tanned falling
    hissing fizzed failing filing happy sky skies enjoy spied died spy try relational conditional rational valenci hesitanci
    digitizer conformabli radicalli differentli vileli analogousli vietnamization predication operator feudalism decisiveness
    hopefulness callousness formaliti sensitiviti sensibiliti archaeology geology theologi triplicate formative formalize
    electriciti electrical hopeful goodness revival allowance inference airliner gyroscopic adjustable defensible irritant
    replacement adjustment dependent adoption homologou communism activate angulariti homologous effective bowdlerize probate
    rate cease controlling roll news innings outing cannings howe proceed exceed succeed dying lying tying generously
    yes say syzygy yyyy a at oed ing ion sion eed ied ies s
"""


class NoSynonyms:
    """A WordNet that knows no word."""

    def synsets(self, word):
        return []


def scores(answer, reference):
    from nltk.tokenize import wordpunct_tokenize
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
    from nltk.translate.gleu_score import sentence_gleu
    from nltk.translate.meteor_score import single_meteor_score
    from rapidfuzz import fuzz
    from rouge_score.rouge_scorer import RougeScorer

    said, wanted = wordpunct_tokenize(answer), wordpunct_tokenize(reference)
    names = {f"rouge_{n}": f"rouge{n}" for n in range(1, 6)} | {"rouge_l": "rougeL"}
    rouge = RougeScorer(list(names.values())).score(reference, answer)
    smoothing = SmoothingFunction().method3
    return {
        "fuzzy_match": fuzz.WRatio(answer, reference) / 100,
        "bleu": float(sentence_bleu([wanted], said, smoothing_function=smoothing, auto_reweigh=True)) if said else 0.0,
        "gleu": sentence_gleu([wanted], said),
        "meteor": single_meteor_score(wanted, said, wordnet=NoSynonyms()),
        **{ours: float(rouge[theirs].fmeasure) for ours, theirs in names.items()},
    }


def words():
    """Where words are: ranges of the characters that nltk's tokenizer has in words, of those that this Python knows."""
    from nltk.tokenize import wordpunct_tokenize

    spans = []
    known = (code for code in range(0x20000) if unicodedata.category(chr(code)) not in ("Cn", "Cs"))
    for code in known:
        if len(wordpunct_tokenize(f"a{chr(code)}b")) == 1:
            if spans and spans[-1][1] == code - 1:
                spans[-1][1] = code
            else:
                spans.append([code, code])
    return " ".join(f"{first:x}-{last:x}" for first, last in spans)


if __name__ == "__main__":
    from nltk.stem.porter import PorterStemmer

    assert len(set(PAIRS)) == 60
    content = {
        "made_by": "tests/graders/make_reference_values.py",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in ("nltk", "regex", "rouge-score", "rapidfuzz")},
        "words": words(),
        "pairs": [
            {"answer": answer, "reference": reference, "scores": scores(answer, reference)}
            for answer, reference in PAIRS
        ],
        "stems": {word: PorterStemmer().stem(word) for word in WORDS.split()},
    }
    path = Path(__file__).with_name("reference_values.json")
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
