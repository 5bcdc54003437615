"""Is the answer XML?"""

from __future__ import annotations

from distilltest.graders.text import normalise, quote
from distilltest.records import Grade


class _Doctype(Exception):
    """The answer declares a document type."""


def valid_xml(answer: str, *, code_fence: bool = False) -> Grade:
    """Score 1 if the whole answer is one well-formed XML document, namespaces included, else 0.

    The parser is expat, as in ``xml.etree``. A ``DOCTYPE`` scores 0: it can declare entities, which may expand without end (a
    "billion laughs") or fetch files. The five predefined entities (``&amp;`` …) and character references are allowed.

    Args:
        answer: The model's answer.
        code_fence: If the answer is one Markdown code fence, take its content.

    >>> valid_xml("<a><b/></a>").reason
    'is XML: <a>'
    >>> valid_xml("<a><b></a>").reason
    "not XML: mismatched tag (line 1, column 9): '<a><b></a>'"
    """
    from xml.parsers import expat

    def fail(why: str) -> Grade:
        return Grade("valid_xml", 0.0, False, f"{why}: {quote(answer)}")

    def refuse(*_: object) -> None:
        raise _Doctype

    roots: list[str] = []

    def remember(name: str, _: object) -> None:
        roots.append(name)
        parser.StartElementHandler = None

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = remember
    try:
        parser.Parse(normalise(answer, code_fence=code_fence), True)
    except _Doctype:
        return fail("XML with a DOCTYPE, which could declare entities and is not accepted")
    except expat.ExpatError as error:
        return fail(f"not XML: {expat.ErrorString(error.code)} (line {error.lineno}, column {error.offset + 1})")
    except UnicodeEncodeError:
        return fail("not XML: it has half a surrogate pair")
    return Grade("valid_xml", 1.0, True, f"is XML: <{roots[0].rpartition(' ')[2]}>")
