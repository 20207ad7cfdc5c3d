"""What can be chosen, and what is taken by itself: known without scikit-learn.

The command line reads its options, and answers those that it cannot use, before it
imports what an audit needs.
"""

RESPONSE_METHODS = ("auto", "predict_proba", "decision_function", "predict")

# What an attacker holds, from the weaker to the stronger: who has the file can ask it.
ACCESSES = ("interface", "file")

# Shadow models by effort: what they cost and see is in benchmarks/bench_effort.py.
SHADOWS = {"quick": 2, "standard": 6, "thorough": 64}
EFFORTS = tuple(SHADOWS)
# Permutations by effort: with fewer a p-value is coarser, and no less valid.
PERMUTATIONS = {"quick": 199, "standard": 999, "thorough": 999}
EFFORT = "standard"

# Groups of records that are no values of a column.
SLICINGS = ("class", "loss", "size", "rarity", "length")

FPRS = (0.001, 0.01, 0.1)
CONFIDENCE = 0.95
PRIOR = 0.5

N_TARGETS = 5
RECIPE_FPRS = (0.01, 0.1)
# What differs between the models of a procedure.
VARIED = ("data", "seed")

# What the records are like that are put into training to be found again.
CANARIES = ("flipped", "rare", "far")
# Neighbours of differential privacy: a record is there or not, or another is.
ADJACENCIES = ("add", "replace")
