"""The page in a real browser: rendered, filtered, printed, read without a script, by keyboard, by a screen reader."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbomgate.report import Undecided, html, store_html
from testkit import reports, store_reports
from testkit.chromium import Chromium

pytestmark = pytest.mark.chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium") / "profile") as started:
        yield started


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "incident.html"
    path.write_text(html.render([reports.built()["incident"]]), "utf-8")
    return path


def undisturbed(browser: Chromium, path: Path) -> None:
    assert browser.complaints() == []
    assert browser.requests() == [path.resolve().as_uri()]


@pytest.mark.parametrize(
    ("dark", "width"), [(False, 1100), (True, 1100), (False, 390)], ids=["light", "dark", "narrow"]
)
def test_it_is_rendered(browser: Chromium, page: Path, dark: bool, width: int) -> None:
    """No error in the console, nothing fetched, nothing to scroll sideways, ink that can be read on its paper."""
    browser.open(page, dark=dark, width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(18, 22, 28)" if dark else "rgb(255, 255, 255)"
    )
    assert browser.evaluate("document.querySelector('.verdict b').textContent") == "No, it may not ship"
    assert browser.evaluate(_CONTRAST) >= 4.5
    assert len(browser.screenshot()) > 10_000
    undisturbed(browser, page)


# The least contrast (WCAG 2.2, 1.4.3) of any text with the paper behind it.
_CONTRAST = """
(() => { const shade = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255)
  .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
const paper = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
  if (!/, 0\\)$|transparent/.test(c)) return c } return 'rgb(255, 255, 255)' };
let least = 21; for (const e of document.querySelectorAll('main *:not(svg, svg *)')) {
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
  const a = shade(getComputedStyle(e).color), b = shade(paper(e));
  least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)) } return least })()
"""


def shown(browser: Chromium) -> list[str]:
    found: list[str] = browser.evaluate(
        "[...document.querySelectorAll('[data-level]')].filter(e => !e.hidden)"
        ".map(e => e.querySelector('h4').textContent)"
    )
    return found


def test_it_is_filtered(browser: Chromium, page: Path) -> None:
    browser.open(page)
    assert shown(browser) == [
        "Deniedaxios 1.14.0 → 1.14.1",
        "Deniedplain-crypto-js 4.2.1",
        "WarningThe project as a whole",
    ]
    browser.evaluate("document.querySelector('input[type=search]').focus()")
    browser.type("setup.js CRYPTO")
    assert shown(browser) == ["Deniedplain-crypto-js 4.2.1"]
    assert browser.evaluate("document.querySelector('output').textContent") == "1 of 3 shown"
    browser.type(" nothing-has-this")
    assert shown(browser) == []
    browser.open(page)
    browser.evaluate("document.querySelector('input[value=deny]').click()")
    assert shown(browser) == ["WarningThe project as a whole"]
    undisturbed(browser, page)


def test_of_very_many_findings_the_first_are_printed_and_page_one_is_one_page(
    browser: Chromium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the screen all that the page shows can be found; paper says how many more there are."""
    monkeypatch.setattr(html, "PRINTED", 40)
    monkeypatch.setattr(html, "MAX_CARDS", 60)
    many = [reports.package(f"p{number}", "1.0.0") for number in range(100)]
    denials = [reports.finding(one, rule, "x", "odd") for one in many for rule in ("pinned", "provenance")]
    path = tmp_path / "many.html"
    path.write_text(html.render([reports.report(reports.sbom(*many), *denials)]), "utf-8")
    browser.open(path)
    seen = "[...document.querySelectorAll(SELECTOR)].filter(e => e.checkVisibility()).map(e => e.textContent)"
    browser.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert len(browser.evaluate(seen.replace("SELECTOR", "'.card'"))) == 60
    assert browser.evaluate(seen.replace("SELECTOR", "'.paper'")) == []
    assert browser.evaluate(seen.replace("SELECTOR", "'.alarm.screen'")) == [
        "… and 40 more packages, which the other formats hold."
    ]
    on_paper(browser)
    assert len(browser.evaluate(seen.replace("SELECTOR", "'.card'"))) == 40
    assert browser.evaluate(seen.replace("SELECTOR", "'.paper, .alarm.screen'")) == [
        "… and 60 more packages, which are not printed: the other formats hold all."
    ]
    browser.call("Emulation.setEmulatedMedia", media="")
    undisturbed(browser, path)


def on_paper(browser: Chromium) -> None:
    """Lay the page out as it is printed on A4: page one is one page, within its margins at 96 dots an inch."""
    browser.call("Emulation.setEmulatedMedia", media="print")
    width, height = (round((side - margins) / 25.4 * 96) for side, margins in ((210, 28), (297, 32)))
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    next_page = "[...document.querySelectorAll('h2')].find(e => e.textContent.startsWith('For engineers')).offsetTop"
    assert browser.evaluate(next_page) <= height


def test_it_is_printed(browser: Chromium, page: Path) -> None:
    """On paper nothing is folded, and what only a screen needs is left out."""
    browser.open(page)
    pdf = browser.pdf()
    assert pdf.startswith(b"%PDF-")
    assert pdf.count(b"/Type /Page\n") >= 3
    on_paper(browser)
    assert browser.evaluate("getComputedStyle(document.querySelector('.filter')).display") == "none"
    browser.call("Emulation.setEmulatedMedia", media="")
    undisturbed(browser, page)


def test_it_is_whole_without_a_script(browser: Chromium, page: Path) -> None:
    browser.open(page, script=False)
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    said = {node["name"]["value"] for node in tree if node.get("name") and not node.get("ignored")}
    assert {"No, it may not ship", "To do: stay on the version before axios 1.14.1"} <= said
    assert "Find" not in said
    undisturbed(browser, page)


def test_it_is_read_by_keyboard_and_by_a_screen_reader(browser: Chromium, page: Path) -> None:
    browser.open(page)
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.textContent") == "Skip to the content"
    tree = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles: dict[str, list[str]] = {}
    for node in tree:
        if not node.get("ignored"):
            roles.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    assert roles["main"]
    assert "shop 3.2.0" in roles["heading"]
    assert "Dependency paths" in roles["region"]
    assert all(roles["image"]), "a drawing without a name"
    assert all(roles["columnheader"])
    assert all(name for name in roles["link"])
    levels = browser.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), levels


def test_p39_hostile_names_are_inert(browser: Chromium, tmp_path: Path) -> None:
    """All of them in one page: no script of theirs runs, nothing of theirs is fetched, no element is theirs."""
    texts = [text[:2_000] for text in reports.HOSTILE_NAMES.values()]
    path = tmp_path / "hostile.html"
    undecided = [Undecided(label=text, message=text, hint=text) for text in texts]
    path.write_text(html.render([reports.named(text) for text in texts], undecided), "utf-8")
    browser.open(path)
    assert browser.evaluate("document.scripts.length") == 1
    assert (
        browser.evaluate("document.querySelectorAll('img,iframe,object,embed,link,base,[onload],[onerror]').length")
        == 0
    )
    assert browser.evaluate("document.querySelectorAll('article').length") == len(texts)
    assert browser.evaluate("document.documentElement.scrollWidth") == 1100
    undisturbed(browser, path)


def test_what_is_injected_would_not_run(browser: Chromium, page: Path, tmp_path: Path) -> None:
    """The page's own policy is the second wall: were there a hole, the browser would refuse what came through it."""
    attack = "<img src='https://evil.example/x.png'><script>document.title='owned'</script><b style='color:red'>x</b>"
    path = tmp_path / "attacked.html"
    path.write_text(page.read_text("utf-8").replace("</main>", f"{attack}</main>"), "utf-8")
    browser.open(path)
    assert browser.evaluate("document.title") != "owned"
    refused = [line for line in browser.complaints() if "Content Security Policy" in line]
    assert len(refused) == 3, browser.complaints()


@pytest.mark.parametrize(
    ("dark", "width"), [(False, 1100), (True, 1100), (False, 390)], ids=["light", "dark", "narrow"]
)
def test_a_store_is_rendered(browser: Chromium, tmp_path: Path, dark: bool, width: int) -> None:
    """Every point of a plot leads to its decision, and says what it is to whoever does not see it."""
    path = tmp_path / "store.html"
    path.write_text(store_html.render(store_reports.store()), "utf-8")
    browser.open(path, dark=dark, width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.evaluate(_CONTRAST) >= 4.5
    points = browser.evaluate("[...document.querySelectorAll('svg a')].map(a => [a.getAttribute('href'), a.ariaLabel])")
    assert len(points) == 3 * 37
    assert browser.evaluate("[...document.querySelectorAll('svg a')].every(a => document.querySelector('[id=\"' + "
                            "a.getAttribute('href').slice(1) + '\"]'))")  # fmt: skip
    assert all(said for _, said in points)
    # On a phone the rows stand one below the other, without the table's head: each value names its column.
    named = browser.evaluate("getComputedStyle(document.querySelector('td[data-is=packages]'), '::before').content")
    assert (named == "none") == (width > 640), named
    assert browser.pdf().startswith(b"%PDF-")
    undisturbed(browser, path)
