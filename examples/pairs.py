"""Which columns of a table tell something about each other: measures of wine, where it grew, and gaps."""

import numpy as np
from sklearn.datasets import load_wine

import infotorch

table = load_wine(as_frame=True).frame
table["cultivar"] = np.array(["Barolo", "Grignolino", "Barbera"])[table.pop("target")]
table["strong"] = table["alcohol"] > 13
# The cheap laboratory did not measure flavanoids, and had more Barbera to look at.
rng = np.random.default_rng(0)
cheap = rng.random(len(table)) < np.where(table["cultivar"] == "Barbera", 0.6, 0.2)
table.loc[cheap, "flavanoids"] = np.nan

matrix = infotorch.mi_matrix(table, missing="drop")
print(matrix)

told = {
    missing: infotorch.mutual_information(table["flavanoids"], table["cultivar"], missing=missing)
    for missing in ("drop", "category")
}
print("\nflavanoids and cultivar:")
for missing, estimate in told.items():
    print(f"  missing={missing!r:11} {estimate:.2f} +- {estimate.std_error:.2f} nats")
