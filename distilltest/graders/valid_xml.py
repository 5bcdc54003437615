"""Is the answer XML?"""

from __future__ import annotations

from distilltest.graders.text import normalise, quote
from distilltest.records import Grade


class _Doctype(Exception):
    """The answer declares a document type."""


def valid_xml(answer: str, *, code_fence: bool = False) -> Grade:
    """Score 1 where the whole answer is one well-formed XML document, namespaces included, else 0.

    It is read with expat, the parser under ``xml.etree``, but no tree is built. A ``DOCTYPE`` scores 0: it is where
    entities are declared, and with none declared nothing expands (a "billion laughs") and nothing is fetched. The five
    entities of XML itself (``&amp;`` …) and character references are fine.

    Args:
        answer: What the model said.
        code_fence: Look inside a code fence that is the whole answer.

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
        return fail("XML with a DOCTYPE, which is not read: entities would be declared there")
    except expat.ExpatError as error:
        return fail(f"not XML: {expat.ErrorString(error.code)} (line {error.lineno}, column {error.offset + 1})")
    except UnicodeEncodeError:
        return fail("not XML: half a surrogate pair is no character")
    return Grade("valid_xml", 1.0, True, f"is XML: <{roots[0].rpartition(' ')[2]}>")
