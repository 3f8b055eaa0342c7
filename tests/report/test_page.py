"""The page: every section from the records alone, whatever the records hold and wherever they end."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from headstart.errors import RunError
from headstart.records import Journal, Record
from headstart.report import draw
from headstart.report.pictures import data_uri

Make = Callable[..., Path]

VOID = {"meta", "link", "img", "br", "wbr"}

HOSTILE = [
    "<script>alert('x')</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}",
    "a&b \u202e rtl",
    "𝔘 名前 \x07",
    "' onload='x",
]


class Checked(HTMLParser):
    """Collects what a page holds, and insists that its elements close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        self.ids += [value for key, value in attrs if key == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


def page(run: Path) -> tuple[str, Checked]:
    path = draw(run)
    assert path == run / "report.html"
    text = path.read_text(encoding="utf-8")
    return text, Checked(text)


@pytest.fixture(scope="module")
def full(make_run: Make) -> tuple[str, Checked]:
    return page(make_run())


@pytest.mark.parametrize(
    "words",
    [
        "Freeze the backbone: fine-tuning gained no more than chance on these images.",
        "of a budget of 20 min",
        "Labels: 1,200 images, 240 a class.",
        "What each step of the ladder brings",
        "−1.6 (−4.0 to +1.0)",
        "+36.4 points (+31.0 to +42.0) against “From scratch”",
        "+50.0 points (+44.0 to +56.0) against “Head on a random network”",
        "92.1 % (89.1–95.1)",
        "+0.9 (−1.0 to +2.7)",
        "< 0.1 %",
        "logistic",
        "best at block4+top",
        "no better for 5 epochs",
        "all epochs done; still improving at its last epoch",
        "bellflower taken for daisy 99.0 %",
        "cut off after 1.2 kB",
        "labelled bellflower, daisy",
        "1 min 31 s",
        "At most 3.4 GB of memory",
        "headstart fit 'photos/my flowers' --out again --backbone",
        "AMD EPYC 7543",
        "9f2c41d0a7b36e58",
        "D = {X, P(X)}",
        "T = {Y, P(Y|X)}",
    ],
)
def test_every_section_says_what_the_records_hold(full: tuple[str, Checked], words: str) -> None:
    assert words in full[1].words


def test_sections_stand_in_order_and_the_contents_name_them_all(full: tuple[str, Checked]) -> None:
    sections = [attrs["id"] for tag, attrs in full[1].elements if tag == "section"]
    expected = ["verdict", "candidates", "probes", "curves", "tested", "mistakes", "data", "spent", "repeat", "reading"]
    assert sections == expected
    links = [attrs["href"] for tag, attrs in full[1].elements if tag == "a"]
    assert links == ["#verdict"] + [f"#{name}" for name in expected]


def test_the_page_loads_nothing(full: tuple[str, Checked]) -> None:
    text, parsed = full
    for _, attrs in parsed.elements:
        for key in ("src", "href", "srcset", "action", "data", "poster"):
            value = attrs.get(key)
            assert value is None or value.startswith(("#", "data:")), (key, value)
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    assert "url(" not in text


def test_figures_are_well_formed_xml_at_both_widths(full: tuple[str, Checked]) -> None:
    figures = re.findall(r'<svg class="chart.*?</svg>', full[0], re.DOTALL)
    assert len(figures) == 2 * 6
    for figure in figures:
        ElementTree.fromstring(figure)


def test_pictures_are_embedded(full: tuple[str, Checked]) -> None:
    sources = [attrs["src"] or "" for tag, attrs in full[1].elements if tag == "img"]
    assert len(sources) == 8 * 4
    assert {source.split(",")[0] for source in sources} == {"data:image/jpeg;base64", "data:image/png;base64"}


def test_the_same_records_give_the_same_bytes(make_run: Make) -> None:
    run = make_run()
    first = draw(run).read_bytes()
    assert draw(run).read_bytes() == first
    assert sorted(path.name for path in run.iterdir()) == ["pictures", "records.jsonl", "report.html"]


def test_it_is_drawn_from_the_records_alone(make_run: Make) -> None:
    _, parsed = page(make_run(pictures=False))
    assert "8 of 8 pictures are not in the run any more" in parsed.words
    assert not [tag for tag, _ in parsed.elements if tag == "img"]


@pytest.mark.parametrize("until", ["plan", "data", "candidate", "verdict", "final", "test"])
def test_an_unfinished_run_shows_what_there_is(make_run: Make, until: str) -> None:
    _, parsed = page(make_run(until=until))
    assert "This run is not finished." in parsed.words
    assert "what was spent" in parsed.words
    assert ("There is no verdict yet." in parsed.words) == (until in ("plan", "data", "candidate"))


def test_a_finished_run_does_not_say_that_it_is_not(full: tuple[str, Checked]) -> None:
    assert "not finished" not in full[1].words


def test_a_run_of_one_strategy_needs_no_verdict(make_run: Make) -> None:
    _, parsed = page(make_run(names=["probe"]))
    assert "Frozen backbone, best head: the one strategy that was run." in parsed.words
    assert "not finished" not in parsed.words
    assert "curves" not in parsed.ids


def test_folds_are_told_and_drawn_one_line_a_replicate(make_run: Make) -> None:
    text, parsed = page(make_run(folds=5))
    assert "out of fold over 5 folds" in parsed.words
    assert "still improving at its last epoch in 5 of 5 replicates" in parsed.words
    assert text.count('class="curve dashed"') > 2 * 3 * 5


def test_many_classes_have_a_table_of_pairs_and_no_matrix(make_run: Make) -> None:
    text, parsed = page(make_run(classes=[f"class {index:02d}" for index in range(60)]))
    assert "With 60 classes a matrix would not be legible" in parsed.words
    assert 'id="confusion-' not in text
    assert "All 60 classes" in parsed.words


def test_two_classes_have_a_matrix_and_no_table_of_pairs(make_run: Make) -> None:
    text, parsed = page(make_run(classes=["benign", "malignant"]))
    assert 'id="confusion-' in text
    assert "Most confused" not in parsed.words


def test_another_metric_is_named_and_accuracy_stays(make_run: Make) -> None:
    _, parsed = page(make_run(metric="balanced_accuracy"))
    assert "Test balanced accuracy" in parsed.words
    assert re.search(r"accuracy 9\d\.\d %", parsed.words)


def test_names_are_text_whatever_they_hold(make_run: Make) -> None:
    text, parsed = page(make_run(classes=HOSTILE))
    assert "&lt;script&gt;alert(" in text
    assert [tag for tag, _ in parsed.elements].count("script") == 1
    assert not [attrs for _, attrs in parsed.elements if any(key.startswith("on") for key in attrs)]
    assert "{{ 7*7 }}" in parsed.words
    for figure in re.findall(r'<svg class="chart.*?</svg>', text, re.DOTALL):
        ElementTree.fromstring(figure)


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no records\.jsonl"):
        draw(tmp_path)


def test_half_a_surrogate_does_not_break_the_page(tmp_path: Path) -> None:
    line = '{"key": "data", "what": "data", "metrics": {"images": 1}, "detail": {"root": "a\\udc80b"}}\n'
    (tmp_path / "records.jsonl").write_text(line)
    assert "a?b" in draw(tmp_path).read_text(encoding="utf-8")


def test_records_without_intervals_are_drawn(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "records.jsonl")
    journal.append(
        Record("candidate/probe", "candidate", strategy="probe", metrics={"value": 1.0, "low": None, "high": None})
    )
    journal.append(Record("test", "test", metrics={"value": 0.0, "low": None, "high": None, "n": 1}))
    _, parsed = page(tmp_path)
    assert "100.0 %" in parsed.words


@pytest.mark.parametrize(
    "picture", ["../outside.png", "/etc/hostname", "text.png", "large.png", "folder", "", "a\x00b", None]
)
def test_only_thumbs_inside_the_run_are_embedded(tmp_path: Path, picture: str | None) -> None:
    run = tmp_path / "run"
    (run / "folder").mkdir(parents=True)
    (tmp_path / "outside.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (run / "text.png").write_bytes(b"<svg onload=alert(1)>")
    (run / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500_000))
    assert data_uri(run, picture) is None


def test_a_link_out_of_the_run_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "run" / "thumb.png").symlink_to(tmp_path / "secret.png")
    assert data_uri(tmp_path / "run", "thumb.png") is None


def test_every_rung_says_what_became_of_each_network(make_run: Make, full: tuple[str, Checked]) -> None:
    assert "Which networks were left" not in full[1].words, "few networks are not halved"
    _, checked = page(make_run(halved=True))
    assert "9 networks on 250 images" in checked.words and "5 networks on 500 images" in checked.words
    assert "dropped: ranked lower, not shown to be worse" in checked.words
    assert (
        "5 of 9 networks go on. Of the 4 dropped 2 are shown to be worse than the best: halving is a quota."
        in checked.words
    )
    assert "−3.0 (−13.0 to +7.0)" in checked.words
    assert sum(key.startswith("rung-0") for key in checked.ids) == 4, "a title and a description, at two widths"
