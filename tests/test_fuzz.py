"""Damaged files of every kind: refused in one line, or read as they are."""

import os
from collections import Counter

import pytest
from fuzz_inputs import AUDITED, READ, REFUSED, attempt, counts_told, fuzz
from helpers.corpus import NAMES, cases

from sklearn_mia.__main__ import main

SEED = int(os.environ.get("FUZZ_SEED", "0"))


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """Writes the files of a case, undamaged."""
    monkeypatch.chdir(tmp_path)

    def write(case):
        for file, content in case.files.items():
            path = tmp_path / file
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        return case

    return write


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_file_is_read(whole, name):
    """So what is refused below was refused for its damage."""
    case = whole(cases()[name])
    refused = name in ("model.pkl", "model.joblib")
    assert attempt(case, case.damaged[0], False) == (REFUSED if refused else READ)
    full = {REFUSED} if refused else {AUDITED, READ}
    assert attempt(case, case.damaged[0], True) in full


@pytest.mark.parametrize(
    "n_inputs", [300, pytest.param(10_000, marks=pytest.mark.slow)]
)
def test_damaged_files_do_no_harm(n_inputs, count):
    results = fuzz(range(n_inputs), SEED)
    told = counts_told(results)
    count(**Counter(result["became"].split()[0] for result in results))
    print("\n".join(told))
    assert len(results) == n_inputs
    assert [line for line in told if "WRONG" in line] == []
    became = {result["became"] for result in results}
    assert became == {REFUSED, READ, AUDITED}


def test_a_number_of_more_digits_than_fit_is_infinite(whole, capsys):
    case = whole(cases()["table.csv"])
    lines = case.files["members.csv"].decode().split("\n")
    cells = lines[1].split(",")
    lines[1] = ",".join(["9" * 400, *cells[1:]])
    with open("members.csv", "w") as file:
        file.write("\n".join(lines))
    assert main(case.arguments) == 2
    told = "Column 'age' of members.csv holds infinite numbers in 1 of 30 records"
    assert told in capsys.readouterr().err
