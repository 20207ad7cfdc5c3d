"""
Does a model behind a service give away its training data?
==========================================================

A bank answers requests with the risk of a credit. Nobody has the file of the model, and
the number of requests is limited. An output checker, who can only ask like everybody
else, has to say whether that is enough.

The table is German credit, which comes with the package (1,000 customers; H. Hofmann,
UCI, CC BY 4.0). The service is a real one, on this machine: a web server on the
loopback address.
"""

# %%
# The service
# -----------
# This is the side of the bank: a random forest, asked by POST requests. One address
# answers with probabilities, the other with labels alone.

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from sklearn_mia.datasets import load_german_credit

X, y = load_german_credit(return_X_y=True, as_frame=True)
X = X.select_dtypes("number")
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=0.5, random_state=0
)
bank = {"model": RandomForestClassifier(50, random_state=0).fit(X_train, y_train)}


class Service(BaseHTTPRequestHandler):
    """Answer a list of customers with probabilities or with labels."""

    def do_POST(self):
        """Read the customers, ask the model, write the answers."""
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        ask = {"/risk": "predict_proba", "/label": "predict"}[self.path]
        asked = pd.DataFrame(rows, columns=X.columns)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(
            json.dumps(getattr(bank["model"], ask)(asked).tolist()).encode()
        )

    def log_message(self, *args):
        """Write no line for a request."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()

# %%
# Asking it
# ---------
# This is the side of the checker: a function that sends records and returns answers,
# wrapped into a classifier. It asks in batches, about no record twice, and at most 800
# times. The service cannot be trained again, so ``RMIA``, the strongest attack by
# answers alone, trains models by a guess of the recipe, ``shadow_estimator``.

from sklearn_mia import BlackBoxClassifier, audit


def ask(X, address="/risk"):
    """Answers of the service for a frame of customers."""
    url = f"http://127.0.0.1:{server.server_port}{address}"
    with urlopen(url, data=json.dumps(X.to_numpy().tolist()).encode()) as answer:
        return json.load(answer)


def audit_service(guess, **how):
    """Audit of the service as it is now, with a budget of 800 customers."""
    service = BlackBoxClassifier(classes=["bad", "good"], max_queries=800, **how)
    report = audit(
        service,
        X_train,
        y_train,
        X_test,
        y_test,
        attacks="RMIA",
        shadow_estimator=guess,
        random_state=0,
    )
    print(f"asked about {service.n_queries_} customers, in {service.n_calls_} calls")
    print(report.verdict["title"])
    return report


reports = {}
guess = RandomForestClassifier(50)
reports["probabilities"] = audit_service(guess, predict_proba=ask)

# %%
# The verdict
# -----------
# The service does not pass, on a budget of less than one question for each customer. A
# limit of the number of requests is no protection: an attacker who wants to know about
# one person asks about one person.
#
# The warning above, and the findings, say what the budget left out. Customers who were
# not asked about have no row in ``report.records``; they are not shown to be safe.

for finding in reports["probabilities"].findings:
    print(f"{finding.code} {finding.title}: {finding.message}\n")

# %%
# What to do next
# ---------------
# The cheapest change is to answer with labels alone. It helps, but labels still give
# away the customers with a bad risk: the model is right about nearly all of them that
# it was trained on, and wrong about most of the others.

bad = y_train == "bad", y_test == "bad"
for side, rows in {"members": X_train[bad[0]], "others": X_test[bad[1]]}.items():
    answers = ask(rows, "/label")
    print(f"right on {answers.count('bad') / len(rows):.0%} of the {side} that are bad")

reports["labels alone"] = audit_service(guess, predict=lambda X: ask(X, "/label"))
for group in reports["labels alone"].slices:
    if group["slice"] == "class":
        print(f"{group['value']}: AUC {group['auc']['estimate']:.2f}")

# %%
# The other change is a model that remembers less. With leaves of 40 customers the
# service may answer with probabilities, and is right about as often. This audit
# cannot decide whether what is left is within the limits: a larger one, with a larger
# budget, could.

bank["model"] = RandomForestClassifier(50, min_samples_leaf=40, random_state=0)
bank["model"].fit(X_train, y_train)
guess = RandomForestClassifier(50, min_samples_leaf=40)
reports["larger leaves"] = audit_service(guess, predict_proba=ask)
server.shutdown()
server.server_close()

# %%
# The three services, attacked alike. What is above the dashed line on the left, at few
# false alarms, is what lets an attacker be sure about single people.

import matplotlib.pyplot as plt

from sklearn_mia import MembershipRocDisplay

fig, ax = plt.subplots()
for name, report in reports.items():
    records = report.records
    MembershipRocDisplay.from_predictions(
        records["member"], records["score_RMIA"], name=name, ax=ax
    )
ax.set_title("What RMIA recognises by the answers of the service")
plt.show()
