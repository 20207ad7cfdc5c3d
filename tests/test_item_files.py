"""Documents, images and arrays from files, by the command line."""

import json
import re

import joblib
import numpy as np
import pytest
from helpers.items import of_kind
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_mia import audit
from sklearn_mia.__main__ import main
from sklearn_mia.tables import take

pd = pytest.importorskip("pandas")

SIDES = slice(0, 60), slice(60, None)
QUICK = ["--trust-pickle", "--n-shadows", "2", "--release", "interface"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(kind, features=None):
    given, labels, recipe = of_kind(kind)
    features = given if features is None else features
    model = clone(recipe).fit(take(features, SIDES[0]), labels[:60])
    joblib.dump(model, "model.joblib")
    return model, features, labels


def written(frame, suffix=".csv"):
    paths = [f"members{suffix}", f"others{suffix}"]
    for path, rows in zip(paths, SIDES, strict=True):
        side = frame.iloc[rows]
        if suffix == ".csv":
            side.to_csv(path, index=False)
        else:
            side.to_parquet(path)
    return paths


def run(*options, paths, label="label"):
    arguments = ["audit", "model.joblib", *paths, "--label", label, *QUICK, *options]
    status = main([*map(str, arguments), "--json", "report.json"])
    with open("report.json") as file:
        return status, json.load(file)["report"]


def aucs(content):
    return {a["name"]: a["auc"]["estimate"] for a in content["attacks"]}


def read(monkeypatch, *options, paths, label="label"):
    """What an audit would be about."""
    cases = []

    def stop(model, case, *given, **options):
        cases.append(case)
        raise ValueError("read")

    monkeypatch.setattr("sklearn_mia.auditing._command.audit_case", stop)
    arguments = ["audit", "model.joblib", *paths, "--label", label, *QUICK, *options]
    assert main(arguments) == 2
    return cases[0]


def expected_of(model, features, labels):
    sides = [v for rows in SIDES for v in (take(features, rows), labels[rows])]
    report = audit(model, *sides, n_shadows=2, release="interface", random_state=0)
    return aucs(report._content)


def refused(capsys, *options, paths=("members.csv", "others.csv")):
    arguments = ["audit", "model.joblib", *paths, "--label", "label", *QUICK]
    assert main([*arguments, *options]) == 2
    return capsys.readouterr().err.removeprefix("error: ").strip()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_documents_are_a_column_of_a_table(folder, suffix, capsys, monkeypatch):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    model, docs, labels = trained("documents")
    frame = pd.DataFrame({"id": range(120), "note": docs, "label": labels, "by": "me"})
    paths = written(frame, suffix)
    if suffix == ".parquet":
        case = read(monkeypatch, "--features", "note", paths=paths)
        assert case.features.tolist() == docs
        return
    options = ["--features", "note", "--id", "id", "--slice", "length"]
    _, content = run(*options, paths=paths)
    assert content["data"]["kind"] == "documents"
    assert aucs(content) == expected_of(model, docs, labels)
    assert not [f for f in content["findings"] if f["code"] == "MIA015"]
    assert docs[0][:30] not in capsys.readouterr().err


def test_a_procedure_of_documents(folder, capsys):
    _, docs, labels = trained("documents")
    written(pd.DataFrame({"note": docs, "label": labels}))
    arguments = ["audit-recipe", "model.joblib", "members.csv", "--label", "label"]
    options = ["--features", "note", "--n-targets", "2", "--n-shadows", "2"]
    assert main([*arguments, *options, "--trust-pickle"]) == 0
    assert "Membership audit of the procedure" in capsys.readouterr().out


def test_images_are_files_of_a_folder(folder, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    pixels = (of_kind("images")[0] * 15).astype(np.uint8)
    _, pixels, labels = trained("images", pixels)
    (folder / "scans").mkdir()
    names = [f"scan{i}.png" for i in range(120)]
    for name, picture in zip(names, pixels, strict=True):
        image.fromarray(picture).save(folder / "scans" / name)
    paths = written(pd.DataFrame({"file": names, "label": labels}))
    case = read(monkeypatch, "--features", "file", "--files", "scans", paths=paths)
    assert case.kind == "arrays of shape (8, 8)"
    assert case.features.dtype == np.uint8
    assert_array_equal(case.features, pixels)


def _means(values):
    return [[v.mean(), v.std(), len(v)] for v in values]


@pytest.mark.parametrize("suffix", [".npy", ".wav"])
def test_recordings_are_files_of_a_folder(folder, suffix, monkeypatch):
    from scipy.io import wavfile

    rng = np.random.default_rng(0)
    sounds = [rng.normal(size=n).astype(np.float32) for n in rng.integers(5, 9, 120)]
    labels = np.arange(120) % 2
    model = make_pipeline(FunctionTransformer(_means), LogisticRegression(C=100))
    joblib.dump(model.fit(sounds[:60], labels[:60]), "model.joblib")
    names = [f"{i}{suffix}" for i in range(120)]
    for name, sound in zip(names, sounds, strict=True):
        if suffix == ".npy":
            np.save(folder / name, sound)
        else:
            wavfile.write(folder / name, 8000, sound)
    paths = written(pd.DataFrame({"file": names, "label": labels}))
    case = read(monkeypatch, "--features", "file", "--files", ".", paths=paths)
    assert case.kind == "sequences"
    for own, sound in zip(case.features, sounds, strict=True):
        assert_array_equal(own, sound)


def test_lists_are_a_column_of_parquet(folder, monkeypatch):
    pytest.importorskip("pyarrow")
    sounds = [np.arange(n % 5 + 2.0) for n in range(120)]
    labels = np.arange(120) % 2
    model = make_pipeline(FunctionTransformer(_means), LogisticRegression())
    joblib.dump(model.fit(sounds[:60], labels[:60]), "model.joblib")
    frame = pd.DataFrame({"sound": sounds, "label": labels})
    case = read(monkeypatch, "--features", "sound", paths=written(frame, ".parquet"))
    assert case.kind == "sequences"
    for own, sound in zip(case.features, sounds, strict=True):
        assert_array_equal(own, sound)


def test_texts_are_files_of_a_folder(folder, monkeypatch):
    _, docs, labels = trained("documents")
    for i, doc in enumerate(docs):
        (folder / f"{i}.txt").write_text(doc, encoding="utf-8")
    names = [f"{i}.txt" for i in range(120)]
    paths = written(pd.DataFrame({"file": names, "label": labels}))
    case = read(monkeypatch, "--features", "file", "--files", ".", paths=paths)
    assert case.features.tolist() == docs


def test_an_archive_of_arrays_is_a_table_too(folder, monkeypatch):
    _, images, labels = trained("images")
    paths = ["members.npz", "others.npz"]
    for path, rows in zip(paths, SIDES, strict=True):
        person = np.arange(120)[rows] // 2
        np.savez(path, scan=images[rows], label=labels[rows], person=person)
    options = "--features", "scan", "--group", "person"
    case = read(monkeypatch, *options, paths=paths)
    assert_array_equal(case.features, images)
    assert_array_equal(case.labels, labels)
    assert len(case.group_keys) == 60


def test_what_cannot_be_read_is_said(folder, capsys):
    trained("documents")
    frame = pd.DataFrame({"note": ["a cat"] * 120, "label": np.arange(120) % 2})
    written(frame)
    assert re.fullmatch(
        r"The model cannot be asked about members.csv or others.csv: .*'lower'.* If it "
        r"takes a text, or a file, a record, name their column with --features\.",
        refused(capsys),
    )
    message = refused(capsys, "--features", "text")
    assert message.startswith("--features names the column 'text', which members.csv")
    message = refused(capsys, "--files", ".")
    assert message.startswith("--files needs --features COLUMN, the column with the")
    message = refused(capsys, "--features", "note", "--files", "nowhere")
    assert message == "--files 'nowhere' is no folder."
    message = refused(capsys, "--features", "note", "--files", ".")
    assert message.startswith(
        "60 of 60 records of members.csv name a file that --files"
    )
    message = refused(capsys, "--features", "note", "--slice", "rarity")
    assert message.endswith("expected one of class, loss, size, length.")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("../a.txt", b"a", "names a file outside of --files 'in'; expected names"),
        ("a.exe", b"a", "ends in '.exe'; expected an image"),
        ("a.npy", b"no array", "could not be read as an array (ValueError)"),
        ("a.txt", b"\xff", "could not be read as UTF-8 text (UnicodeDecodeError)"),
        ("a.wav", b"no sound", "could not be read as a recording"),
    ],
)
def test_a_file_of_a_record_is_checked(folder, capsys, name, content, message):
    trained("documents")
    (folder / "in").mkdir()
    (folder / "in" / name).write_bytes(content)
    written(pd.DataFrame({"file": [name] * 120, "label": np.arange(120) % 2}))
    said = refused(capsys, "--features", "file", "--files", "in")
    assert message in said
    assert name not in said.replace("'in'", "")


def test_a_pickle_in_an_array_is_not_loaded(folder, capsys):
    trained("documents")
    np.save("a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    written(pd.DataFrame({"file": ["a.npy"] * 120, "label": np.arange(120) % 2}))
    said = refused(capsys, "--features", "file", "--files", ".")
    assert "could not be read as an array (ValueError)" in said
    np.savez("members.npz", x=np.array([{}], dtype=object), label=[0])
    said = refused(capsys, "--features", "x", paths=["members.npz"] * 2)
    assert "could not be read as an archive of arrays (ValueError)" in said


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((3, 2, 2)), "label": [0, 1]}, "holds arrays of 3, 2 rows"),
        ({"x": np.array(3)}, "holds arrays of no rows"),
        ({}, "holds arrays of no rows"),
    ],
)
def test_arrays_of_an_archive_have_one_row_a_record(folder, capsys, arrays, message):
    trained("documents")
    np.savez("members.npz", **arrays)
    assert message in refused(capsys, "--features", "x", paths=["members.npz"] * 2)


def test_an_archive_is_bounded_before_it_is_unpacked(folder, capsys):
    trained("documents")
    np.savez_compressed("members.npz", x=np.zeros((2, 2**17)), label=[0, 1])
    options = ["--features", "x", "--max-size", "0.001"]
    said = refused(capsys, *options, paths=["members.npz"] * 2)
    assert "holds 0.00195 GiB or more once it is unpacked" in said


def test_a_gap_is_no_document(folder, capsys):
    pytest.importorskip("pyarrow")
    trained("documents")
    notes = ["a cat"] * 120
    notes[2] = None
    paths = written(pd.DataFrame({"note": notes, "label": [0, 1] * 60}), ".parquet")
    said = refused(capsys, "--features", "note", paths=paths)
    assert said.startswith(
        "members.parquet has no value in the column 'note' (--features) for 1 of 60 "
        "records (the first is record 3)"
    )
    said = refused(capsys, "--features", "label", paths=paths)
    assert said.startswith(
        "The column 'label' of members.parquet (--features) holds no"
    )


NO_NOTE = (
    "members{} has no value in the column 'note' (--features) for {} of 60 records "
    "(the first is record {}); expected a text or a file for each. Fill them in or "
    "leave the records out."
)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_gap_is_refused_alike_in_any_table(folder, capsys, suffix, monkeypatch):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    _, docs, labels = trained("documents")
    notes = [*docs[:3], None, "NA", " ", *docs[6:]]
    if suffix == ".parquet":
        notes[5] = None
    paths = written(pd.DataFrame({"note": notes, "label": labels}), suffix)
    said = refused(capsys, "--features", "note", paths=paths)
    assert said == NO_NOTE.format(suffix, 2, 4)
    said = refused(capsys, "--features", "note", "--na-values", "NA", paths=paths)
    assert said == NO_NOTE.format(suffix, 3, 4)
    said = refused(capsys, "--features", "note", "--files", ".", paths=paths)
    assert said == NO_NOTE.format(suffix, 2, 4)
    # Elsewhere NA may be a word, and a text of Parquet may be empty.
    notes[3], notes[5] = "a", "a"
    if suffix == ".parquet":
        notes[3] = ""
    paths = written(pd.DataFrame({"note": notes, "label": labels}), suffix)
    case = read(monkeypatch, "--features", "note", paths=paths)
    assert case.features.tolist() == notes


def test_numbers_are_no_documents(folder, capsys, monkeypatch):
    trained("documents")
    frame = pd.DataFrame({"dose": np.arange(120) / 7, "label": [0, 1] * 60})
    written(frame)
    assert refused(capsys, "--features", "dose") == (
        "The column 'dose' of members.csv (--features) holds no text; expected a text "
        "or a list a record, or the name of its file. Leave --features out for a table "
        "of numbers."
    )
    frame = frame.astype({"dose": object})
    frame.loc[[2, 62], "dose"] = "a cat"
    case = read(monkeypatch, "--features", "dose", paths=written(frame))
    assert case.kind == "documents"


def test_names_of_files_are_no_documents(folder, capsys):
    trained("documents")
    names = [f"{i}{'.png' if i % 2 else '.TXT'}" for i in range(120)]
    written(pd.DataFrame({"file": names, "label": [0, 1] * 60}))
    assert refused(capsys, "--features", "file") == (
        "The column 'file' of members.csv (--features) holds names of files; pass "
        "--files FOLDER, the folder that has them."
    )


def test_texts_are_no_names_of_files_and_are_not_quoted(folder, capsys):
    trained("documents")
    notes = ["a patient " * 500, "a\0patient/" * 3] * 60
    written(pd.DataFrame({"note": notes, "label": [0, 1] * 60}), ".parquet")
    paths = ("members.parquet", "others.parquet")
    message = refused(capsys, "--features", "note", "--files", ".", paths=paths)
    assert message == (
        "60 of 60 records of members.parquet name a file that --files '.' does not "
        "have (the first is record 1)."
    )


def test_a_file_of_another_shape_is_named(folder, capsys):
    _, images, labels = trained("images")
    names = [f"{i}.npy" for i in range(120)]
    for name, image in zip(names, images, strict=True):
        np.save(folder / name, image)
    np.save(folder / names[3], images[3, 1:])
    written(pd.DataFrame({"file": names, "label": labels}))
    said = refused(capsys, "--features", "file", "--files", ".")
    assert said.endswith(
        "The records have different shapes: 119 of 120 have (8, 8), the first other "
        "one is record 4, members first: (7, 8)."
    )


def test_an_array_of_an_archive_is_no_column(folder, capsys, monkeypatch):
    _, images, labels = trained("images")
    paths = ["members.npz", "others.npz"]
    for path, rows in zip(paths, SIDES, strict=True):
        arrays = {"label": labels[rows], "mask": images[rows], "hot": images[rows, 0]}
        np.savez(path, scan=images[rows], **arrays)
    drop = "--drop", "mask", "--drop", "hot"
    assert refused(capsys, *drop, paths=paths) == (
        "The model would be asked about the array 'scan' of members.npz, which has the "
        "shape (8, 8) a record. If that is what it takes, pass --features scan; else "
        "leave it out with --drop scan."
    )
    said = refused(capsys, "--features", "scan", "--group", "hot", paths=paths)
    assert said == (
        "--group names the array 'hot' of members.npz, which has the shape (8,) a "
        "record; expected one value each."
    )
    case = read(monkeypatch, "--features", "scan", *drop, paths=paths)
    assert_array_equal(case.features, images)


def test_words_of_a_vectorizer_are_not_quoted(folder, capsys):
    docs, labels, _ = of_kind("documents")
    model = make_pipeline(CountVectorizer(), LogisticRegression())
    joblib.dump(model.fit(docs[:60], labels[:60]), "model.joblib")
    frame = pd.DataFrame({"note": docs, "label": labels})
    frame.loc[1, "label"] = 7
    said = refused(capsys, "--features", "note", paths=written(frame))
    assert "1 of 60 records" in said
    assert "7" not in said
