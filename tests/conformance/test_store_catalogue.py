"""What is saved under a name stays what it was in each revision, and a name that is deleted is free again."""

import asyncio
from typing import Any

import pytest

from evalbus.errors import Conflict, Invalid, NotFound
from evalbus.store.ports import NewRevision
from evalbus_schemas.catalogue import Entry, EntryNamed, GetEntry, ListEntries
from tests.servers.versions import on_each_postgres
from tests.stores import Stores

pytestmark = on_each_postgres


def a_revision(name: str = "capitals", **changes: Any) -> NewRevision:
    given: dict[str, Any] = {
        "kind": "dataset",
        "workspace": "default",
        "name": name,
        "version": "1.0",
        "description": "",
        "supplier": "",
        "labels": {},
        "additional_info": {},
        "definition": {"name": name, "source": f"{name}.jsonl"},
        "created_by": "somebody",
    } | changes
    return NewRevision(**given)


async def everything(stores: Stores, **query: Any) -> list[Entry]:
    """Page after page."""
    found: list[Entry] = []
    after: str | None = None
    while True:
        page = await stores.catalogue.list("dataset", ListEntries(after=after, **query))
        found += page.entries
        after = page.next
        if after is None:
            return found


async def test_what_is_created_is_got_by_its_name_and_by_its_number(stores: Stores) -> None:
    new = a_revision(
        version="2024-b",
        description="Capitals of the world",
        supplier="team",
        labels={"language": "en"},
        additional_info={"license": {"id": "CC0"}, "n": 1.0},
    )

    saved = await stores.catalogue.create(new)

    by_name = await stores.catalogue.get("dataset", GetEntry(name="capitals"))
    by_number = await stores.catalogue.get("dataset", GetEntry(uid=saved.entry.uid))
    assert saved.change == "created"
    assert by_name == by_number == saved.entry
    assert (by_name.id, by_name.revision) == ("default/capitals", 1)
    for field in ("version", "description", "supplier", "labels", "additional_info", "definition"):
        assert getattr(by_name, field) == getattr(new, field)
    assert by_name.created_by == "somebody"
    assert by_name.created_at == by_name.updated_at


async def test_the_same_content_again_changes_nothing_and_another_is_a_conflict(
    stores: Stores,
) -> None:
    first = await stores.catalogue.create(a_revision(additional_info={"a": 1, "b": 2}))

    again = await stores.catalogue.create(
        a_revision(additional_info={"b": 2, "a": 1}, created_by="somebody else")
    )

    assert (again.change, again.entry) == ("unchanged", first.entry)
    with pytest.raises(Conflict, match="default/capitals"):
        await stores.catalogue.create(a_revision(additional_info={"a": True, "b": 2}))


async def test_an_update_makes_a_revision_and_the_ones_before_stay(stores: Stores) -> None:
    first = (await stores.catalogue.create(a_revision())).entry
    changed = a_revision(definition={"name": "capitals", "source": "new.jsonl"})

    second = await stores.catalogue.update(changed)
    again = await stores.catalogue.update(changed)

    assert (second.change, again.change) == ("updated", "unchanged")
    assert (second.entry.uid, second.entry.revision) == (first.uid, 2)
    assert again.entry == second.entry
    assert second.entry.created_at == first.created_at < second.entry.updated_at
    assert await stores.catalogue.get("dataset", GetEntry(name="capitals", revision=1)) == (
        first.model_copy()
    )
    with pytest.raises(NotFound, match="in revision 3"):
        await stores.catalogue.get("dataset", GetEntry(name="capitals", revision=3))


async def test_what_is_not_there_cannot_be_updated_got_or_deleted(stores: Stores) -> None:
    await stores.catalogue.create(a_revision("other"))
    named = EntryNamed(name="capitals")

    with pytest.raises(NotFound, match="no dataset is saved as default/capitals"):
        await stores.catalogue.update(a_revision())
    with pytest.raises(NotFound):
        await stores.catalogue.delete("dataset", named)
    for query in (
        GetEntry(name="capitals"),
        GetEntry(uid=2**62),
        GetEntry(uid=10**30),
        GetEntry(name="other", workspace="elsewhere"),
        GetEntry(name="other", revision=10**12),
    ):
        with pytest.raises(NotFound):
            await stores.catalogue.get("dataset", query)
    with pytest.raises(NotFound, match="no model is saved as default/other"):
        await stores.catalogue.get("model", GetEntry(name="other"))


async def test_deleting_frees_the_name_and_the_number_stays_unknown(stores: Stores) -> None:
    before = (await stores.catalogue.create(a_revision())).entry
    await stores.catalogue.update(a_revision(version="2"))

    deleted = await stores.catalogue.delete("dataset", EntryNamed(uid=before.uid))
    after = (await stores.catalogue.create(a_revision(version="3"))).entry

    assert deleted.id == "default/capitals"
    assert (after.uid > before.uid, after.revision) == (True, 1)
    with pytest.raises(NotFound):
        await stores.catalogue.get("dataset", GetEntry(uid=before.uid))
    with pytest.raises(NotFound):
        await stores.catalogue.get("dataset", GetEntry(uid=before.uid, revision=2))
    with pytest.raises(NotFound):
        await stores.catalogue.delete("dataset", EntryNamed(uid=before.uid))
    assert await everything(stores) == [after]


async def test_kinds_and_workspaces_have_names_of_their_own(stores: Stores) -> None:
    one = await stores.catalogue.create(a_revision())
    other_kind = await stores.catalogue.create(a_revision(kind="metric"))
    other_place = await stores.catalogue.create(a_revision(workspace="team"))

    assert {each.change for each in (one, other_kind, other_place)} == {"created"}
    assert await everything(stores) == [one.entry]
    assert await everything(stores, workspace="team") == [other_place.entry]


async def test_many_that_save_at_once_make_one_entry_and_every_change_a_revision(
    stores: Stores,
) -> None:
    created = await asyncio.gather(*(stores.catalogue.create(a_revision()) for _ in range(10)))
    updated = await asyncio.gather(
        *(stores.catalogue.update(a_revision(version=f"v{number}")) for number in range(10))
    )

    assert sorted(each.change for each in created) == ["created"] + ["unchanged"] * 9
    assert sorted(each.entry.revision for each in updated) == list(range(2, 12))
    assert len(await everything(stores)) == 1


async def test_creating_and_deleting_at_once_leaves_it_there_or_not(stores: Stores) -> None:
    async def delete() -> None:
        try:
            await stores.catalogue.delete("dataset", EntryNamed(name="capitals"))
        except NotFound:
            return

    await asyncio.gather(
        *(stores.catalogue.create(a_revision()) for _ in range(8)), *(delete() for _ in range(8))
    )

    assert len(await everything(stores)) <= 1


async def test_a_list_is_in_the_order_of_making_page_after_page(stores: Stores) -> None:
    names = [f"d{number}" for number in (3, 1, 2, 5, 4)]
    for name in names:
        await stores.catalogue.create(a_revision(name))
    await stores.catalogue.update(a_revision("d1", version="2"))
    await stores.catalogue.delete("dataset", EntryNamed(name="d2"))

    found = await everything(stores, limit=2)

    assert [entry.name for entry in found] == ["d3", "d1", "d5", "d4"]
    assert found[1].revision == 2


async def test_a_search_looks_into_names_and_descriptions_and_takes_no_pattern(
    stores: Stores,
) -> None:
    await stores.catalogue.create(a_revision("capitals", description="100% of them"))
    await stores.catalogue.create(a_revision("elements", description="All of the CAPITAL ones"))
    await stores.catalogue.create(a_revision("rivers"))

    async def names(search: str) -> list[str]:
        return [entry.name for entry in await everything(stores, search=search)]

    assert await names("Capital") == ["capitals", "elements"]
    assert await names("100%") == ["capitals"]
    assert await names("%") == ["capitals"]
    assert await names("c_pital") == []
    assert await names("\x00") == []


async def test_a_page_is_at_most_a_mebibyte(stores: Stores) -> None:
    for number in range(12):
        await stores.catalogue.create(
            a_revision(f"d{number}", definition={"rows": ["ä" * 1000] * 150})
        )

    first = await stores.catalogue.list("dataset", ListEntries(limit=1000))
    all_of_them = await everything(stores, limit=1000)

    assert 1 <= len(first.entries) < 12
    assert len(first.model_dump_json().encode()) < 1_100_000
    assert [entry.name for entry in all_of_them] == [f"d{number}" for number in range(12)]


async def test_one_entry_that_is_larger_than_a_page_is_a_page_of_its_own(stores: Stores) -> None:
    for name in ("a", "b", "c"):
        await stores.catalogue.create(a_revision(name, definition={"rows": ["x" * 1_500_000]}))

    pages = await stores.catalogue.list("dataset", ListEntries())

    assert [entry.name for entry in pages.entries] == ["a"]
    assert [entry.name for entry in await everything(stores)] == ["a", "b", "c"]


async def test_numbers_and_texts_come_back_as_they_were(stores: Stores) -> None:
    info: Any = {"i": 2**62, "f": 1.0, "e": 1e22, "t": True, "n": None, "nul": "a\x00b", "ä": "🦆"}

    saved = await stores.catalogue.create(
        a_revision(additional_info=info, description="with\x00nul", supplier="x\x00")
    )
    again = await stores.catalogue.create(
        a_revision(additional_info=info, description="with\x00nul", supplier="x\x00")
    )

    assert repr(saved.entry.additional_info) == repr(info)
    assert again.change == "unchanged"


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "9" * 30, "²", ""])
async def test_a_cursor_that_is_none_is_invalid(stores: Stores, cursor: str) -> None:
    with pytest.raises(Invalid, match="no cursor"):
        await stores.catalogue.list("dataset", ListEntries(after=cursor))
