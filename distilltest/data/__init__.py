"""Read YAML, JSON, JSONL, CSV and Parquet files; every error names the file and the line.

This package is the only one that loads YAML. Its values are those of JSON: texts, whole numbers of up to 64 bits, finite
numbers, true, false, null, lists, and objects with texts as keys.
"""

from distilltest.data.files import LONGEST, absent, lines, read_bytes, text_of
from distilltest.data.json_text import Unreadable, parse_json, parse_row, read_json
from distilltest.data.rows import FORMATS, Row, read_rows, text_lines
from distilltest.data.tree import Tree, kind_of
from distilltest.data.yaml_text import nodes, parse_yaml, read_yaml, yaml_of

__all__ = [
    "FORMATS",
    "LONGEST",
    "Row",
    "Tree",
    "Unreadable",
    "absent",
    "kind_of",
    "lines",
    "nodes",
    "parse_json",
    "parse_row",
    "parse_yaml",
    "read_bytes",
    "read_json",
    "read_rows",
    "read_yaml",
    "text_lines",
    "text_of",
    "yaml_of",
]
