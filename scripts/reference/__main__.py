"""Write every generated page that is out of date."""

from scripts.reference import DOCS, pages

if __name__ == "__main__":
    for path, text in pages().items():
        there = DOCS / path
        if not there.exists() or there.read_text(encoding="utf-8") != text:
            there.write_text(text, encoding="utf-8")
            print(f"wrote docs/{path}")
