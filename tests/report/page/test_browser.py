"""The page in a real browser: Debian's chromium and chromium-driver, driven by Selenium; skipped where they miss."""

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from roco.report.page.interactive import AXES, read_networks
from roco.report.page.page import origin_of, write_page

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver here: the page is not opened"),
    # One browser for all of these tests.
    pytest.mark.xdist_group("browser"),
]
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --force-prefers-reduced-motion --window-size=1280,900"
)
POINT = "#networks-chart path[aria-roledescription='point']"


@pytest.fixture(scope="module")
def page(made: SimpleNamespace) -> Path:
    path = made.folder / "report.html"
    places = {"figures": made.folder / "figures", "tables": made.folder / "tables"}
    write_page(made.study, made.config, path, origin=origin_of(made.folder / "dataset.h5"), **places)
    return path


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["http://*", "https://*", "ws://*", "wss://*"]})
    yield driver
    driver.quit()


@pytest.fixture
def browser(started: Any, page: Path) -> Any:
    started.get(page.as_uri())
    wait(started, lambda: points(started))
    return started


def wait(driver: Any, condition: Any) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 20).until(lambda _: condition())


def points(driver: Any) -> list[dict[str, Any]]:
    """The data of the points that the chart shows."""
    return driver.execute_script(f'return [...document.querySelectorAll("{POINT}")].map(point => point.__data__.datum)')


def networks(made: SimpleNamespace) -> dict[tuple[str, str, str], Any]:
    frame = read_networks((made.folder / "figures" / "populations.csv").read_text())
    return {(row.search, str(row.seed), row.key): row for row in frame.itertuples()}


def told(row: Any) -> dict[str, str]:
    """The numbers of a network as the page shall tell them."""
    return {
        "Network": row.key,
        "Search": row.search,
        "Seed": str(row.seed),
        "First evaluated in generation": str(row.generation),
        "Validation error": f"{100 * row.error:.2f}%",
        "Adversarial error": f"{100 * row.adversarial_error:.2f}%",
        "FLOPs": f"{row.flops:,}",
        "Parameters": f"{row.parameters:,}",
    }


def choose(driver: Any, control: str, value: str) -> None:
    driver.execute_script(
        "const control = document.getElementById(arguments[0]); control.value = arguments[1];"
        "for (const kind of ['input', 'change']) control.dispatchEvent(new Event(kind));",
        control,
        value,
    )


def bring(driver: Any, place: int) -> Any:
    element = driver.find_elements("css selector", POINT)[place]
    driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
    return element


def test_the_page_opens_without_errors_and_asks_for_nothing(browser: Any, page: Path, made: SimpleNamespace) -> None:
    assert made.config.experiment in browser.title
    assert len(points(browser)) == len(networks(made))
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    assert browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent" and message["params"]["documentURL"].startswith("file:")
    }
    assert page.as_uri() in asked
    assert all(url == page.as_uri() or url.startswith("data:") for url in asked)


def test_the_policy_forbids_what_the_page_does_not_do(browser: Any) -> None:
    refused = browser.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation', event => done(event.violatedDirective));"
        "fetch('https://example.org/').catch(() => {});"
    )
    assert refused == "connect-src"
    browser.get_log("browser")


def test_every_point_has_the_numbers_of_the_csv(browser: Any, made: SimpleNamespace) -> None:
    rows = networks(made)
    found = {(point["search"], str(point["seed"]), point["key"]): point for point in points(browser)}
    assert set(found) == set(rows)
    for place, row in rows.items():
        for name in ("generation", "front", *AXES):
            assert found[place][name] == getattr(row, name)


def test_a_point_under_the_pointer_tells_its_numbers_and_shows_its_drawing(browser: Any, made: SimpleNamespace) -> None:
    webdriver.ActionChains(browser).move_to_element(bring(browser, 3)).perform()
    tip = wait(browser, lambda: browser.find_elements("css selector", ".vg-tooltip.visible"))[0]
    cells = [cell.text for cell in tip.find_elements("css selector", "th, td")]
    shown = dict(zip(cells[::2], cells[1::2], strict=True))
    row = networks(made)[shown["Search"], shown["Seed"], shown["Network"]]
    assert shown == told(row)
    drawings = tip.find_elements("css selector", "svg")
    assert len(drawings) == 3
    assert all(drawing.rect["width"] > 30 and drawing.rect["height"] > 15 for drawing in drawings)


def test_axes_are_the_readers_choice(browser: Any, made: SimpleNamespace) -> None:
    def titles() -> list[str]:
        return [e.text for e in browser.find_elements("css selector", "#networks-chart .role-axis-title text")]

    assert titles() == ["FLOPs", "Adversarial error"]
    choose(browser, "networks-x", "parameters")
    wait(browser, lambda: titles() == ["Parameters", "Adversarial error"])
    choose(browser, "networks-y", "error")
    wait(browser, lambda: titles() == ["Parameters", "Validation error"])
    places = browser.execute_script(
        f'return [...document.querySelectorAll("{POINT}")].map(point => point.getBoundingClientRect().x)'
    )
    parameters = [point["parameters"] for point in points(browser)]
    in_order = [place for _, place in sorted(zip(parameters, places, strict=True))]
    assert all(one <= two + 1 for one, two in itertools.pairwise(in_order))


def test_generations_come_one_by_one(browser: Any, made: SimpleNamespace) -> None:
    rows = networks(made).values()
    for generation in (0, 2):
        choose(browser, "networks-generation", str(generation))
        expected = sum(row.generation <= generation for row in rows)
        wait(browser, lambda expected=expected: len(points(browser)) == expected)
    assert browser.find_element("id", "networks-generation-shown").text == "2"


def test_the_legend_shows_one_search_alone(browser: Any, made: SimpleNamespace) -> None:
    labels = browser.find_elements("css selector", "#networks-chart .role-legend-label text")
    label = next(label for label in labels if label.text == "roco")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", label)
    webdriver.ActionChains(browser).move_to_element(label).click().perform()
    expected = sum(row.search == "roco" for row in networks(made).values())
    wait(browser, lambda: len(points(browser)) == expected)
    assert {point["search"] for point in points(browser)} == {"roco"}


def test_a_click_opens_the_networks_section(browser: Any, made: SimpleNamespace) -> None:
    chosen = next(row for row in networks(made).values() if row.front and row.search == "roco")
    place = next(i for i, p in enumerate(points(browser)) if (p["key"], p["search"]) == (chosen.key, "roco"))
    webdriver.ActionChains(browser).move_to_element(bring(browser, place)).click().perform()
    opened = wait(browser, lambda: browser.find_elements("css selector", "details.network[open]"))[0]
    key = opened.get_attribute("id").removeprefix("network-")
    top = "return arguments[0].getBoundingClientRect().top"
    # A page scrolls by whole pixels.
    wait(browser, lambda: -1 <= browser.execute_script(top, opened) < 900)
    # Another network may lie upon the one that was meant.
    searched = opened.find_elements("css selector", "table")[0].text.splitlines()[-1]
    row = next(row for row in networks(made).values() if row.key == key and row.front)
    assert searched.startswith(f"{row.search} seed {row.seed} {100 * row.error:.1f} {100 * row.adversarial_error:.1f}")
    numbers = made.tables["white_box"].numbers.set_index("key").loc[key]
    retrained = opened.find_elements("css selector", "table")[1].text.splitlines()[-1]
    # C&W goes as far as it likes: what it leaves right stands behind its distance.
    assert retrained.split()[-1] == f"({100 * numbers['cw']:.1f})"
    assert len(opened.find_elements("css selector", ".phases svg")) == 3


def test_the_first_screen_holds_the_answer_and_the_picture_and_no_table_is_cut(browser: Any) -> None:
    size = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.execute_script("scrollTo({top: 0, behavior: 'instant'})")
        bottom = "return document.querySelector(arguments[0]).getBoundingClientRect().bottom"
        assert all(0 < browser.execute_script(bottom, name) < 900 for name in ("h1", "#answer", "#populations svg"))
        boxes = "[...document.querySelectorAll('main > section .scroll')]"
        wide = f"{boxes}.filter(box => box.scrollWidth > box.clientWidth + 1).map(box => box.ariaLabel)"
        assert browser.execute_script(f"return {boxes}.length") > 15
        assert browser.execute_script(f"return {wide}") == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_nothing_is_wider_than_the_screen(browser: Any, width: int, scheme: str) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        # Dark mode is honoured: the paper is dark, the ink is light, in figures too.
        colours = browser.execute_script(
            "const [page, drawing] = ['body', 'figure svg'].map(name => getComputedStyle(document.querySelector(name)))"
            "; return [page.backgroundColor, drawing.color]"
        )
        brightness = [sum(int(part) for part in colour[4:-1].split(",")) for colour in colours]
        assert (brightness[0] < 200 < brightness[1]) == (scheme == "dark")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
