"""Reading files that people write: YAML, JSON, JSONL and CSV give values of JSON, and every mistake has a file and a line.

This package is the only one that loads YAML. What comes out of it is the data model of JSON: texts, whole numbers of up to
64 bits, finite numbers, true, false, null, lists, and objects whose keys are texts.
"""

from distilltest.data.files import LONGEST, absent, lines, read_bytes, text_of
from distilltest.data.json_text import Unreadable, parse_json, parse_row, read_json
from distilltest.data.rows import Row, csv_rows, json_rows, jsonl_rows, text_lines, yaml_rows
from distilltest.data.tree import Tree, kind_of
from distilltest.data.yaml_text import nodes, parse_yaml, read_yaml, yaml_of

__all__ = [
    "LONGEST",
    "Row",
    "Tree",
    "Unreadable",
    "absent",
    "csv_rows",
    "json_rows",
    "jsonl_rows",
    "kind_of",
    "lines",
    "nodes",
    "parse_json",
    "parse_row",
    "parse_yaml",
    "read_bytes",
    "read_json",
    "read_yaml",
    "text_lines",
    "text_of",
    "yaml_of",
    "yaml_rows",
]
