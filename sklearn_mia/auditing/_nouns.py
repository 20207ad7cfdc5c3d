"""What a report calls those whom it is about: records, or the caller's persons."""

import re
from typing import NamedTuple


class Nouns(NamedTuple):
    """Words for those whom a report is about.

    Attributes
    ----------
    one, many : str
        One of them, several.

    people : str
        Those that may be accused wrongly.

    members, nonmembers : str
        Those who were in the training data, and the others.

    a_member, a_nonmember : str
        One of each.
    """

    one: str = "record"
    many: str = "records"
    people: str = "people who were not in the data"
    members: str = "members"
    nonmembers: str = "non-members"
    a_member: str = "one member"
    a_nonmember: str = "one non-member"


RECORDS = Nouns()
# A word of items that is told of each; others, as "arrays", say no more than records.
_DOCUMENTS = "documents"


def nouns_of(group_name, kind=None):
    """Words for groups of records, or for single ones.

    Parameters
    ----------
    group_name : str, pair of str or None
        One of them, as "patient"; with its plural, as ``("child", "children")``, where
        an s does not make it. None is for single records.

    kind : str or None, default=None
        What single records are called that are no rows of a table, as "documents".

    Returns
    -------
    nouns : Nouns
    """
    if group_name is None and kind is None:
        return RECORDS
    if group_name is None:
        one = "document" if kind == _DOCUMENTS else RECORDS.one
        people = f"{one}s that were not in the data"
        return RECORDS._replace(one=one, many=f"{one}s", people=people)
    one, many = check_group_name(group_name)
    return Nouns(
        one,
        many,
        people=f"{many} not in the data",
        members=f"{many} in the data",
        nonmembers=f"{many} not in the data",
        a_member=f"one {one} in the data",
        a_nonmember=f"one {one} not in the data (all records of each)",
    )


def check_group_name(group_name):
    """Return one of them and many of them.

    Raises
    ------
    ValueError
        If it is neither a word nor a pair of words.
    """
    words = [group_name] if isinstance(group_name, str) else group_name
    is_words = isinstance(words, (list, tuple)) and all(
        isinstance(w, str) and w.strip() for w in words
    )
    if not is_words or len(words) not in (1, 2):
        raise ValueError(
            f"group_name={group_name!r} is no word; expected one such as 'patient', or "
            "with its plural ('child', 'children')."
        )
    one, *many = (" ".join(word.split()) for word in words)
    if not many and re.search(r"[^sui]s$", one):
        raise ValueError(
            f"group_name={group_name!r} looks like several of them; expected one, such "
            "as 'patient', or a pair with its plural ('bus', 'buses')."
        )
    return one, many[0] if many else _plural(one)


def _plural(word):
    if re.search(r"[^\Waeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"
