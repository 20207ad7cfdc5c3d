"""From the files and options of the command line to the sides of an audit."""

from sklearn_mia.auditing import _reading


def check_columns(frame, path, arguments, options):
    for option in options:
        names = getattr(arguments, option)
        for name in names if isinstance(names, list) else [names]:
            if name is not None and name not in frame.columns:
                raise ValueError(
                    f"--{option} names the column {name!r}, which {path} does not "
                    f"have. It has {', '.join(map(repr, frame.columns))}."
                )


def read_side(path, arguments, model, classes, kinds):
    """Features, labels, groups, ids and whether the columns were reordered."""
    frame = _reading.read_table(path, separator=arguments.separator)
    check_columns(frame, path, arguments, ("label", "id", "group", "drop"))
    labels = _reading.typed_labels(
        frame[arguments.label], classes, na_values=arguments.na_values, table=str(path)
    )
    ids = None
    if arguments.id is not None:
        ids = _reading.typed_columns(frame[[arguments.id]], {})[arguments.id].tolist()
    groups = None if arguments.group is None else frame[arguments.group].tolist()
    # An id or a group is no feature, unless the model was trained on it.
    trained = set(getattr(model, "feature_names_in_", ()))
    named = {arguments.id, arguments.group} - {None} - trained
    features = frame.drop(columns=list({arguments.label, *arguments.drop} | named))
    features = _reading.typed_columns(features, kinds, na_values=arguments.na_values)
    features, reordered = _matched(model, features, path)
    return features, labels, groups, ids, reordered


def _matched(model, features, path):
    """The features in the order of the model, and whether that was another."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        n_trained = getattr(model, "n_features_in_", features.shape[1])
        if features.shape[1] != n_trained:
            raise ValueError(
                f"{path} has {features.shape[1]} feature columns, but the model was "
                f"trained on {n_trained}: {', '.join(map(repr, features.columns))}. "
                "Leave columns out with --drop."
            )
        return features.to_numpy(), False
    missing = [c for c in names if c not in features.columns]
    extra = [c for c in features.columns if c not in set(names)]
    found = []
    if missing:
        found.append(
            f"lacks columns that the model was trained on: "
            f"{', '.join(map(repr, missing))}"
        )
    if extra:
        found.append(
            "has columns that the model was not trained on: "
            f"{', '.join(map(repr, extra))} (leave each out with --drop, or name the "
            "one that identifies a record with --id)"
        )
    if found:
        raise ValueError(f"{path} {' and '.join(found)}.")
    return features[list(names)], list(names) != list(features.columns)


def membership(column, path):
    known = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}
    values = [known.get(str(v).strip().lower()) for v in column]
    if None in values:
        bad = column.iloc[values.index(None)]
        raise ValueError(
            f"Column {column.name!r} of {path} holds {bad!r}; expected 1 or true for "
            "members and 0 or false for non-members."
        )
    return values
