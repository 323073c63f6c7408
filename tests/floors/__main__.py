"""`python -m tests.floors`: write docs/floors.md."""

from tests.floors import imports, picture

PAGE = imports.ROOT / "docs/floors.md"

if __name__ == "__main__":
    PAGE.write_text(picture.page(imports.read(imports.files())))
