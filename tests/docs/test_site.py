"""The site: it builds without a warning, and every page is found from its first one, in the order of the sections."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert ended.returncode == 0, ended.stderr
    return folder


def test_every_page_stands_in_the_navigation(site):
    linked = set(re.findall(r'href="([^"#]+\.html)"', (site / "index.html").read_text()))
    pages = {page.relative_to(site).as_posix() for page in site.rglob("*.html")} - {"404.html"}
    assert pages
    assert pages <= linked


def test_sections_come_in_the_order_of_reading(site):
    navigation = (site / "index.html").read_text().split('data-md-level="0"')[1]
    headings = ["Tutorial", "How to", "Explanation", "Reference"]
    found = list(re.findall(r"<label[^>]*>\s*<span[^>]*>\s*([^<]+?)\s*<", navigation))
    shown = [heading for heading in found if heading in headings]
    assert shown
    assert shown == sorted(shown, key=headings.index)


def test_nothing_is_loaded_from_elsewhere(site):
    loaded = re.findall(
        r'<(?:script|img|link rel="stylesheet")[^>]*(?:src|href)="(https?:[^"]+)"', (site / "index.html").read_text()
    )
    assert loaded == []
