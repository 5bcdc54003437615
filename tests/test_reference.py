"""The generated pages of the documentation are up to date."""

import pytest

from scripts.reference import DOCS, NOTE, commands, configuration, pages, python_api

MADE = pages()


@pytest.mark.parametrize("path", MADE)
def test_a_generated_page_is_current(path):
    assert (DOCS / path).read_text(encoding="utf-8") == MADE[path], "run `make reference` and commit what it writes"


@pytest.mark.parametrize("name", python_api.public())
def test_the_documentation_explains_every_parameter_and_field_of_the_public_api(name):
    assert not python_api.unexplained(python_api.public()[name])


def test_every_command_option_and_argument_has_help():
    assert not commands.unexplained()


def test_every_key_of_the_configuration_has_a_description():
    assert not configuration.unexplained()


def test_every_page_that_says_it_is_generated_is():
    said = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if page.read_text().startswith(NOTE)}
    assert said == set(MADE)


def test_no_generated_page_holds_what_differs_from_process_to_process():
    assert not [path for path, text in MADE.items() if " at 0x" in text or str(DOCS.parent) in text]
