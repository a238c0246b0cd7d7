"""The figures of a fit's report, as inline SVG that the page's style sheet colours."""
