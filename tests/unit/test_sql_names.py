"""Every query that is asked for by name exists, and every one that exists is asked for."""

import re
from pathlib import Path

import pytest

import evalbus.store.postgres
from evalbus.store.postgres.sql import load

FOLDER = Path(str(evalbus.store.postgres.__file__)).parent

USED = re.compile(r"(?<!\.)\bSQL\.(\w+)")
ANYWHERE = re.compile(r"\bSQL\.(\w+)")
LOADED = re.compile(r'^SQL = load\("(\w+\.sql)"\)$', re.MULTILINE)
FILES = sorted(file for file in FOLDER.glob("*.py") if LOADED.search(file.read_text("utf-8")))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_query_that_is_asked_for_exists(file: Path) -> None:
    text = file.read_text("utf-8")
    (sql,) = LOADED.findall(text)

    unknown = set(USED.findall(text)) - set(vars(load(sql)))

    assert unknown == set()


def test_every_query_is_asked_for() -> None:
    asked = {
        name for file in FOLDER.glob("*.py") for name in ANYWHERE.findall(file.read_text("utf-8"))
    }

    unused = {
        f"{file.name}: {name}"
        for file in FOLDER.glob("*.sql")
        for name in vars(load(file.name))
        if name not in asked
    }

    assert unused == set()
