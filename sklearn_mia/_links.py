"""Where the documentation and the source are."""

from urllib.parse import quote

DOC_URL = "https://sklearn-mia.readthedocs.io/en/stable/"
SOURCE_URL = "https://github.com/sklearn-mia/sklearn-mia"
API_URL = f"{DOC_URL}api/generated/"
FINDINGS_URL = f"{DOC_URL}findings/"


def finding_url(code):
    """Address of the page of a finding.

    Parameters
    ----------
    code : str

    Returns
    -------
    url : str
    """
    return f"{FINDINGS_URL}{quote(code, safe='')}.html"


class DocLinkMixin:
    """An estimator whose view in a notebook links to its page."""

    _doc_link_module = "sklearn_mia"
    _doc_link_template = f"{API_URL}sklearn_mia.{{estimator_name}}.html"
