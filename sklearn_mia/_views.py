"""What people see: text that nothing obeys, and results as tables of a notebook."""

import numbers
from dataclasses import fields, is_dataclass
from html import escape
from inspect import signature

# Control characters, marks that turn the direction of text, halves of characters.
_HIDDEN = [
    *range(0x20),
    *range(0x7F, 0xA0),
    *(0x61C, 0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    *range(0xD800, 0xE000),
]
_SHOWN = {c: chr(c).encode("unicode_escape").decode() for c in _HIDDEN}
_MOST_IN_A_MESSAGE = 4
# A page of a notebook may be light or dark: colours are its own.
_LEFT = "text-align: left; vertical-align: top"


def visible(value):
    r"""Text, or a tree with text in it, without what a terminal or a page would obey.

    Control characters (tabs and ends of line, too) and marks of direction become
    escapes such as ``\x1b``.

    Parameters
    ----------
    value : str, dict, list or object

    Returns
    -------
    value : same
    """
    if isinstance(value, str):
        return value.translate(_SHOWN)
    if isinstance(value, dict):
        return {visible(k): visible(v) for k, v in value.items()}
    if isinstance(value, list):
        return [visible(v) for v in value]
    return value


def in_short(value):
    """A value in a few words; of arrays and other containers only how large they are.

    Parameters
    ----------
    value : object

    Returns
    -------
    text : str
    """
    if getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, float):
        return f"{value:.4g}"
    if value is None or isinstance(value, (bool, int, str)):
        return str(value)
    if hasattr(value, "shape"):
        return f"{type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list, set, dict)):
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, TableViewMixin):
        return str(value)
    return type(value).__name__


def in_message(value):
    """A value for a message: a number or text as it is, of others what and how many.

    Parameters
    ----------
    value : object

    Returns
    -------
    text : str
    """
    if value is None or isinstance(value, (str, numbers.Number)):
        return repr(value)
    if isinstance(value, (tuple, list)) and len(value) <= _MOST_IN_A_MESSAGE:
        told = ", ".join(map(in_message, value))
        return f"[{told}]" if isinstance(value, list) else f"({told})"
    return f"<{in_short(value)}>"


def html_table(title, rows, link=None):
    """A table of two columns for a notebook, everything escaped.

    Parameters
    ----------
    title : str

    rows : iterable of (str, str)

    link : str or None, default=None
        Where the title leads.

    Returns
    -------
    html : str
    """
    body = "".join(
        f'<tr><th scope="row" style="{_LEFT}">{escape(visible(name))}</th>'
        f'<td style="{_LEFT}">{escape(visible(text))}</td></tr>'
        for name, text in rows
    )
    head = escape(visible(title))
    if link is not None:
        head = f'<a href="{escape(link)}">{head}</a>'
    return f"<p><strong>{head}</strong></p><table>{body}</table>"


class TableViewMixin:
    """A result that a notebook shows as a table, without what it has of each record."""

    def _shown(self):
        """Names and values of the rows; by default what it was made of."""
        names = (
            [field.name for field in fields(self)]
            if is_dataclass(self)
            else signature(type(self)).parameters
        )
        return [(name, getattr(self, name)) for name in names]

    def _repr_html_(self):
        """Show the result in a notebook."""
        rows = [(name, in_short(value)) for name, value in self._shown()]
        # A finding has a page of its own.
        return html_table(type(self).__name__, rows, getattr(self, "url", None))
