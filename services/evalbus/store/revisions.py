"""When two revisions of a saved thing are the same: then saving the second changes nothing."""

import json

from evalbus.store.ports import NewRevision
from evalbus_schemas.catalogue import Entry


def says_the_same(entry: Entry, new: NewRevision) -> bool:
    """Whoever saved it and when does not count, nor does the order of keys."""
    return _content(entry) == _content(new)


def _content(thing: Entry | NewRevision) -> str:
    """Everything that is saved of it, as text: to Python alone 1, 1.0 and True would be the same."""
    said = {
        "version": thing.version,
        "description": thing.description,
        "supplier": thing.supplier,
        "labels": dict(thing.labels),
        "additional_info": thing.additional_info,
        "definition": thing.definition,
    }
    return json.dumps(said, sort_keys=True)
