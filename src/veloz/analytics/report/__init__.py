"""Reports: a summary as a terminal block, one HTML file, or a comparison of several runs."""

from veloz.analytics.report.compare import compare, compare_html, compare_page
from veloz.analytics.report.html import render_html
from veloz.analytics.report.text import text_block

__all__ = ["compare", "compare_html", "compare_page", "render_html", "text_block"]
