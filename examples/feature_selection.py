"""Select features by what they tell beside each other: scikit-learn's breast cancer set, with noise added."""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from infotorch.sklearn import LocalClassifier, MutualInformationSelector, mutual_info_scores

x, y = load_breast_cancer(return_X_y=True)
rng = np.random.default_rng(0)
# 30 features, most of which say the same; 30 of noise beside them.
x = np.hstack([x, rng.normal(size=x.shape)])

selector = MutualInformationSelector("jmi").fit(x, y)
order = np.argsort(selector.ranking_)[: selector.n_features_]
print(f"{selector.n_features_} of {x.shape[1]} features, {sum(order >= 30)} of them noise; nats, with standard errors:")
for j in order:
    print(f"  feature {j:2d}  {selector.scores_[j]:.2f} +- {selector.std_errors_[j]:.2f}")
passed = mutual_info_scores(x, y)[1] < 0.05 / x.shape[1]
print(f"relevant by themselves: {passed[:30].sum()} of 30, and {passed[30:].sum()} of 30 of noise")

count = int(selector.n_features_)
chosen = {
    "all features": [],
    "the most relevant": [SelectKBest(mutual_info_scores, k=count)],
    "selected by jmi": [MutualInformationSelector("jmi", n_features_to_select=count)],
}
print(f"\naccuracy of a network trained module by module, five folds; {count} features but in the first row")
for name, steps in chosen.items():
    network = LocalClassifier((32,), epochs=30, random_state=0)
    model = make_pipeline(*steps, StandardScaler(), network)
    print(f"{name:20s} {cross_val_score(model, x, y, cv=5).mean():.3f}")
