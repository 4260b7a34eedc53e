"""How results are shown: sections, one renderer each for pages, terminals and Markdown, plots."""
