"""The two seams that backends implement."""
