"""The page in a browser: on a desk and on a phone, by day and by night, by keyboard."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., Path]

pytestmark = pytest.mark.browser

VARIANTS = [(width, theme) for width in (1280, 390) for theme in ("light", "dark")]

SWITCHES = (
    "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
    "--disable-sync --no-first-run"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        if os.environ.get("CI"):
            pytest.fail("Chromium and its driver belong to the checks; install both.")
        pytest.skip("Chromium or its driver is not installed.")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for switch in [*SWITCHES.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


@pytest.fixture(scope="module", params=["full", "many", "hostile", "unfinished"])
def report(request: pytest.FixtureRequest, make_run: Make) -> Path:
    from headstart.report import draw

    hostile = ["<script>document.title='x'</script>", "unbroken" * 30, '"><img src=x onerror=alert(1)>']
    asked: dict[str, dict[str, Any]] = {
        "full": {},
        "many": {"classes": [f"class number {index}" for index in range(39)], "folds": 5},
        "hostile": {"classes": hostile},
        "unfinished": {"until": "candidate"},
    }
    return draw(make_run(**asked[request.param]))


def show(browser: Any, report: Path, *, width: int, theme: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    size = {"width": width, "height": 850, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(report.as_uri())


@pytest.mark.parametrize(("width", "theme"), VARIANTS)
def test_it_fits_the_screen_and_reports_no_error(browser: Any, report: Path, width: int, theme: str) -> None:
    show(browser, report, width=width, theme=theme)
    assert browser.get_log("browser") == []
    across, inner = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert across <= inner == width
    boxes = browser.execute_script(
        "document.querySelectorAll('details').forEach((d) => { d.open = true; });"
        "return [...document.querySelectorAll('svg.chart')].map((s) => s.getBoundingClientRect())"
        ".filter((b) => b.width > 0).map((b) => [b.width, b.height]);"
    )
    assert len(boxes) >= 3
    assert all(across > 200 and down > 20 for across, down in boxes)
    opened, inner = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert opened <= inner
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(int(v) for v in background[4:-1].split(",")) < 200) == (theme == "dark")


@pytest.mark.parametrize(("width", "theme"), VARIANTS)
def test_the_text_stands_out_from_its_ground(browser: Any, report: Path, width: int, theme: str) -> None:
    show(browser, report, width=width, theme=theme)
    assert browser.execute_script(CONTRAST) == []


CONTRAST = """
const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const luminance = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map((v) => linear(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = luminance(getComputedStyle(document.body).backgroundColor);
const ratio = (e) => { const l = luminance(getComputedStyle(e).color);
  return (Math.max(l, ground) + 0.05) / (Math.min(l, ground) + 0.05); };
const spoken = (e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
return [...document.querySelectorAll('main *, nav a, footer *')]
  .filter((e) => !e.closest('svg') && e.offsetHeight && spoken(e))
  .filter((e) => ratio(e) < 4.5).map((e) => [e.tagName, e.className, ratio(e)]);
"""


def test_the_keyboard_reaches_the_skip_link_and_the_figures(browser: Any, report: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    show(browser, report, width=1280, theme="light")
    browser.switch_to.active_element.send_keys(Keys.TAB)
    skip = browser.switch_to.active_element
    assert skip.text == "Skip to the verdict"
    assert skip.rect["y"] >= 0
    skip.send_keys(Keys.ENTER)
    assert browser.execute_script("return document.activeElement.id") == "verdict"
    browser.execute_script("document.querySelector('svg.chart.wide').focus()")
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert "%" in browser.find_element("css selector", ".tip").text


def test_the_button_turns_day_into_night_and_back(browser: Any, report: Path) -> None:
    show(browser, report, width=1280, theme="light")
    ground = "return getComputedStyle(document.body).backgroundColor"
    day = browser.execute_script(ground)
    button = browser.find_element("css selector", "button.theme")
    button.click()
    assert browser.execute_script(ground) != day
    button.click()
    assert browser.execute_script(ground) == day
