import pytest

from headstart.errors import OptionError
from headstart.problem import label_spaces, renamed
from headstart.problem.labels import normal_form


@pytest.mark.parametrize(
    ("source", "target", "relation"),
    [
        ("ab", "ab", "same"),
        ("abc", "ab", "partial"),
        ("ab", "abc", "open"),
        ("abc", "abd", "open partial"),
        ("ab", "cd", "disjoint"),
    ],
)
def test_how_label_spaces_relate(source: str, target: str, relation: str) -> None:
    found = label_spaces(list(source), list(target))
    assert found.relation == relation
    assert set(found.shared) == set(source) & set(target)
    assert set(found.source_only) == set(source) - set(target)
    assert set(found.target_only) == set(target) - set(source)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("face_concerned", "Face Concerned"),
        ("dogs", "dog"),
        ("cherries", "Cherry"),
        ("wristWatch", "wrist-watches"),
        ("Café", "cafe"),
        ("seven", "7"),
        ("07", "7"),
        ("people", "person"),
    ],
)
def test_spellings_of_one_name(one: str, other: str) -> None:
    assert label_spaces([one, "x"], [other, "x"]).near == ((one, other),)


@pytest.mark.parametrize(("one", "other"), [("bus", "bu"), ("glass", "glas"), ("iris", "iri"), ("cat", "cart")])
def test_names_that_are_not_one(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


def test_what_could_be_two_classes_is_not_offered() -> None:
    assert label_spaces(["Dog", "dogs"], ["dog "]).near == ()


def test_a_near_class_is_shared_only_when_it_is_mapped() -> None:
    ours, theirs = ["Cats", "dog"], ["cat", "dog"]
    assert label_spaces(ours, theirs).shared == ("dog",)
    assert label_spaces(renamed(ours, {"Cats": "cat"}, theirs), theirs).relation == "same"
    for mapping in ({"cow": "cat"}, {"Cats": "cow"}, {"Cats": "dog"}):
        with pytest.raises(OptionError):
            renamed(ours, mapping, theirs)
