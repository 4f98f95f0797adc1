"""The order of the site's sections: what one reads first stands first; MkDocs alone would sort them by name."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation, Section
from mkdocs.utils import dirname_to_title

# Folders and their headings.
SECTIONS = {"tutorial": "Tutorial", "how-to": "How to", "explanation": "Explanation", "reference": "Reference"}


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Sorts the sections and gives them their headings; called by MkDocs."""
    places = {dirname_to_title(folder): place for place, folder in enumerate(SECTIONS)}
    headings = {dirname_to_title(folder): heading for folder, heading in SECTIONS.items()}
    nav.items.sort(key=lambda item: places[item.title] if isinstance(item, Section) else -1)
    for item in nav.items:
        if isinstance(item, Section):
            item.title = headings[item.title]
    return nav
