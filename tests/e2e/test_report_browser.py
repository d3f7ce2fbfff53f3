"""The report in a real browser: every plot is drawn, nothing is loaded, nothing complains."""

import os
import shutil
from pathlib import Path

import pytest

from gdmix.config import TrainOptions
from gdmix.report import build_report
from gdmix.workflow import train
from tests.made_up import write

pytestmark = pytest.mark.slow

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",
)


def program(variable, *names):
    found = os.environ.get(variable) or next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip(f"no {names[0]} here: install it, or set {variable} to its path")
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    driver = program("GDMIX_CHROMEDRIVER", "chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = program("GDMIX_CHROMIUM", "chromium", "chromium-browser", "chrome")
    profile = tmp_path_factory.mktemp("profile")
    for flag in (*_FLAGS, f"--user-data-dir={profile}", "--window-size=1200,1000"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    pytest.importorskip("plotly", reason="the extra 'report' is not installed")
    pytest.importorskip("jinja2", reason="the extra 'report' is not installed")
    values = write(tmp_path_factory.mktemp("report"), sweeps=2)
    return build_report(train(TrainOptions.parse(values)).path)


@pytest.fixture
def opened(browser, page):
    browser.get(page.as_uri())
    return browser


def test_every_plot_is_drawn(opened):
    drawn = opened.execute_script(
        "return [...document.querySelectorAll('[data-figure]')].map(place => ["
        "place.querySelectorAll('svg.main-svg').length,"
        "place.querySelectorAll('.scatterlayer path, .barlayer path').length,"
        "place.clientHeight])"
    )
    assert len(drawn) == 16
    assert all(svg and marks and height > 50 for svg, marks, height in drawn)


def test_console_is_silent_and_nothing_is_loaded(opened):
    assert [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert opened.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_config_is_folded_and_unfolds(opened):
    details = opened.find_element("css selector", "#config details")
    config = opened.find_element("css selector", "#config pre")
    assert not config.is_displayed()
    details.find_element("css selector", "summary").click()
    assert config.is_displayed()
    assert "coordinates:" in config.text


@pytest.mark.parametrize("width", [360, 480, 1200])
def test_page_is_no_wider_than_its_window(opened, width):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        opened.refresh()
        page, window = opened.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert window == width
    assert page <= width


def test_text_of_plots_follows_the_dark_mode(opened):
    def colour(scheme):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        return opened.execute_script(
            "return getComputedStyle(document.querySelector('.plot .xtick text')).fill"
        )

    assert colour("light") != colour("dark")
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_hovering_names_the_point(opened):
    from selenium.webdriver.common.action_chains import ActionChains

    place = opened.find_element("css selector", "[data-figure]")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", place)
    point = place.find_elements("css selector", ".scatterlayer .point")[1]
    ActionChains(opened).move_to_element(point).perform()
    labels = opened.execute_script(
        "return [...arguments[0].querySelectorAll('.hoverlayer text')].map(t => t.textContent)",
        place,
    )
    assert any("sweep 1, per-user" in label for label in labels)
