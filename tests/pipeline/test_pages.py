"""Every page as a reader sees it, from the disk and without a network."""

import pytest

from mpcf.pipeline import contents, page_checks

from .conftest import CHAPTERS, ROOT

PAGES = contents.pages(ROOT / "_toc.yml")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


def test_pages_have_no_fault(html):
    assert page_checks.check(html, PAGES) == []


def test_all_chapters_are_pages():
    assert [page for page in PAGES if page.startswith("notebooks/")] == [
        f"notebooks/{chapter}" for chapter in CHAPTERS
    ]


@pytest.fixture
def view(browser, html):
    """Open a page; its network requests and console errors are kept in ``said``."""
    page = browser.new_page(viewport=DESK)
    page.said = []
    page.on("console", lambda m: m.type == "error" and page.said.append(m.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on(
        "request",
        lambda r: r.url.startswith(("file:", "data:", "blob:")) or page.said.append(r.url),
    )

    def open_page(name, size=DESK):
        page.set_viewport_size(size)
        page.goto(f"{(html / name).as_uri()}.html")
        page.wait_for_function("!window.MathJax || !MathJax.startup || MathJax.startup.output")
        page.evaluate("window.MathJax && MathJax.startup && MathJax.startup.promise")
        return page

    yield open_page
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole_without_a_network(view, name):
    page = view(name)
    assert page.title()
    formulas = page.locator(".math").count()
    assert page.locator(".math mjx-container").count() >= formulas
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    broken = page.evaluate(
        "[...document.images].filter(i => i.loading !== 'lazy' && !i.naturalWidth).map(i => i.src)"
    )
    assert broken == []
    assert page.said == []


@pytest.mark.parametrize("name", PAGES)
def test_page_fits_a_phone(view, name):
    page = view(name, PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    too_wide = page.evaluate(
        """[...document.querySelectorAll('.bd-article > section *')]
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1
                     && !e.closest('pre, .pst-scrollable-table-container, .output')
                     && !e.closest('.mpcf-wide, mjx-container'))
        .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert too_wide == []


def test_index_leads_to_the_landing_page(view):
    page = view("index")
    page.wait_for_url(f"**/{PAGES[0]}.html")
    assert page.said == []


def test_every_chapter_is_reached_by_keyboard(view):
    page = view(PAGES[0])
    reached = set()
    for _ in range(150):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.href || ''"))
    for chapter in CHAPTERS:
        assert any(address.endswith(f"notebooks/{chapter}.html") for address in reached), chapter


def test_focus_can_be_seen(view):
    page = view(PAGES[0])
    page.keyboard.press("Tab")
    style = "getComputedStyle(document.activeElement)"
    assert page.evaluate(f"{style}.outlineStyle !== 'none' || {style}.boxShadow !== 'none'")


def test_dark_mode_keeps_text_readable(view):
    page = view(PAGES[0])
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    contrast = page.evaluate(
        """(() => {
          const light = colour => {
            const part = colour.match(/[\\d.]+/g).slice(0, 3).map(v => {
              const x = v / 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
          };
          const style = getComputedStyle(document.querySelector('.mpcf-banner'));
          const [a, b] = [light(style.color), light(style.backgroundColor)].sort((x, y) => y - x);
          return (a + 0.05) / (b + 0.05);
        })()"""
    )
    assert contrast >= 4.5
