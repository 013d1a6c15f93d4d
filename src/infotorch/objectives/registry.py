"""The registry of objectives: every name that a plan string may hold, what it makes, and what the guide says of it.

Plan strings, `infotorch list objectives`, the table in docs/choosing-an-objective.md (`make stubs`), benchmarks and the
tests of all objectives read this table: a new objective is a file of its own, an entry here and a test.
"""

from __future__ import annotations

from infotorch.objectives.entry import Guide, Registered

REGISTRY: dict[str, Registered] = {
    "X:reconstruction": Registered(
        "inputs.Reconstruction",
        "reconstruction bound on I(X; T) by a linear decoder",
        guide=Guide(
            "log-likelihood of X under a linear decoder of T, in nats: I(X; T) minus h(X)",
            "X real",
            "tabular data; a first try without labels",
            "keeps the directions of largest variance, like PCA, which need not be those that predict the label",
        ),
    ),
    "X:squared-error": Registered(
        "squared_error.SquaredError",
        "squared error of the output and X",
        settings={"target": "x"},
        guide=Guide(
            "minus the squared error between T and X",
            "T as X, real",
            "the last module of an autoencoder; denoising, where the network adds the noise",
            "T must have as many entries as X",
        ),
    ),
    "X:infonce": Registered(
        "critic.CriticInformation",
        "InfoNCE bound on I(X; T)",
        settings={"of": "x", "bound": "infonce"},
        guide=Guide(
            "I(X; T), by a critic that picks the sample's own X out of the batch",
            "X real",
            "inputs that a linear decoder cannot restore",
            "capped at log n: a deterministic layer soon reaches it and then learns nothing more",
        ),
    ),
    "X:mine": Registered(
        "critic.CriticInformation",
        "MINE of I(X; T)",
        settings={"of": "x", "bound": "mine"},
        guide=Guide(
            "the Donsker-Varadhan bound on I(X; T)",
            "X real",
            "to reproduce the published MOLE results",
            "high variance; too high on training samples",
        ),
    ),
    "X:nwj": Registered(
        "critic.CriticInformation",
        "NWJ bound on I(X; T)",
        settings={"of": "x", "bound": "nwj"},
        guide=Guide(
            "the Nguyen-Wainwright-Jordan bound on I(X; T)",
            "X real",
            "for comparison with `X:mine`: its gradient is unbiased",
            "variance grows as exp(I)",
        ),
    ),
    "X:jsd": Registered(
        "critic.CriticInformation",
        "Jensen-Shannon information of X and T",
        settings={"of": "x", "bound": "jsd"},
        guide=Guide(
            "Jensen-Shannon divergence between true and shuffled pairs",
            "X real",
            "the most stable of the critics to train",
            "at most log 2, and not an estimate of information",
        ),
    ),
    "X:renyi": Registered(
        "renyi.RenyiInformation",
        "matrix-based Renyi information of X and T",
        settings={"of": "x"},
        guide=Guide(
            "matrix-based Rényi information of X and T",
            "any",
            "no critic to train; small batches",
            "its value depends on the kernel width; computes eigenvalues: time n³",
        ),
    ),
    "X:total-correlation": Registered(
        "total_correlation.TotalCorrelation",
        "less Gaussian total correlation of T's columns; teaches nothing alone: Y+X:total-correlation",
        guide=Guide(
            "minus the total correlation of T's columns, by their correlations and a little noise",
            "any, more samples than columns",
            "beside another objective (`Y+X:total-correlation`) to make columns of T independent of each other",
            "teaches nothing alone; with fewer samples than columns it fits the batch's chance correlations",
        ),
    ),
    "X:dim": Registered(
        "spatial.DeepInfoMax",
        "Deep InfoMax, local and global, of an image",
        settings={"scope": "both"},
        needs="images",
        guide=Guide(
            "Jensen-Shannon divergence of pairs: T's locations with patches of X, and all of T with all of X",
            "T grid, X images",
            "to reproduce the published Deep InfoMax results",
            "less accurate than `X:views` on digits (0.944 against 0.969 in [examples/cnn.py](../examples/cnn.py)); "
            "memory n² per location",
        ),
    ),
    "X:dim-local": Registered(
        "spatial.DeepInfoMax",
        "Deep InfoMax with the locations of an image",
        settings={"scope": "local"},
        needs="images",
        guide=Guide(
            "the local half of `X:dim`: T's locations with patches of X", "T grid, X images", "as `X:dim`", "as `X:dim`"
        ),
    ),
    "X:dim-global": Registered(
        "spatial.DeepInfoMax",
        "Deep InfoMax with the whole image",
        settings={"scope": "global"},
        needs="images",
        guide=Guide(
            "the global half of `X:dim`: all of T with all of X",
            "T grid, X images",
            "as `X:dim`, cheaper",
            "a few nats are enough to tell images apart, and they need not be the useful ones",
        ),
    ),
    "X:views": Registered(
        "views.ViewInformation",
        "InfoNCE between views: shifted images, mixed samples",
        guide=Guide(
            "the part of I(X; T) that two augmented views of a sample share, by InfoNCE",
            "X images or vectors, real",
            "images without labels: the first choice",
            "the views decide what is ignored: a rotated digit is the same digit, a rotated letter may not be",
        ),
    ),
    "X:greedy-infomax": Registered(
        "spatial.GreedyInfoMax",
        "Greedy InfoMax: locations of an image predict locations below",
        needs="images",
        guide=Guide(
            "information between T at a location and T at locations further down the image",
            "T grid",
            "large images with structure at many locations",
            "with small receptive fields neighbours share pixels, and the bound is reached without learning",
        ),
    ),
    "X:node-infonce": Registered(
        "graph_nodes.NodeInformation",
        "InfoNCE of nodes' features",
        settings={"bound": "infonce"},
        needs="graphs",
        guide=Guide(
            "I(h; x) of a node's output h and its features x, by a critic that picks them out among other nodes'",
            "T nodes, X real",
            "graphs: the layers before the read-out, where a node's own features matter",
            "ignores edges; capped at the log of the number of nodes drawn",
        ),
    ),
    "X:node-mine": Registered(
        "graph_nodes.NodeInformation",
        "MINE of nodes' features",
        settings={"bound": "mine"},
        needs="graphs",
        guide=Guide(
            "the same, by the Donsker-Varadhan bound",
            "T nodes, X real",
            "to reproduce the published MOLE results on graphs",
            "as `X:mine`",
        ),
    ),
    "X:gmi": Registered(
        "graph_nodes.GraphicalInformation",
        "features of a node and its neighbours, and edges",
        needs="graphs",
        guide=Guide(
            "Jensen-Shannon divergences: T with a node's and its neighbours' features, and edges predicted from T",
            "T nodes, X real",
            "graphs with few labelled nodes: the first choice",
            "with its default bound not an estimate of information; neighbours of another class count as well",
        ),
    ),
    "X:dgi": Registered(
        "graph_summary.DeepGraphInfomax",
        "nodes against a summary, beside corrupted nodes",
        needs="graphs",
        guide=Guide(
            "Jensen-Shannon divergence between nodes and corrupted nodes, each paired with the graph's summary",
            "T nodes, X real",
            "for comparison on one large graph; the cheapest of the graph objectives",
            "the summary of many nodes says little about any one of them",
        ),
    ),
    "X:infograph": Registered(
        "graph_summary.InfoGraph",
        "nodes against the summaries of all graphs",
        needs="graphs",
        guide=Guide(
            "Jensen-Shannon divergence between nodes paired with their own graph's summary and with another's",
            "T nodes or graphs, X real",
            "many graphs, before or after the read-out",
            "needs two graphs or more in a batch; tells graphs apart by whatever is easiest, such as their size",
        ),
    ),
    "X:graph-renyi": Registered(
        "graph_renyi.GraphRenyiInformation",
        "Renyi information, nodes and neighbours",
        needs="graphs",
        guide=Guide(
            "matrix-based Rényi information of T with a node's features and the mean of its neighbours'",
            "T nodes or graphs, X real",
            "to reproduce the published MOLE results on graphs",
            "as `X:renyi`; uses a random subset of the nodes in every step",
        ),
    ),
    "Y:readout": Registered(
        "labels.ReadoutInformation",
        "read-out bound H(Y) - CE on I(Y; T)",
        guide=Guide(
            "I(Y; T) by a linear read-out: H(Y) minus its cross-entropy; for real Y, the gain of a Gaussian read-out",
            "any",
            "the first choice with labels",
            "sees only what a linear layer can; on a grid it reads every location, while the next module may only "
            "average them (`locations=4` averages first)",
        ),
    ),
    "Y:infonce": Registered(
        "critic.CriticInformation",
        "InfoNCE bound on I(Y; T)",
        settings={"of": "y", "bound": "infonce"},
        guide=Guide(
            "I(Y; T), by a critic that picks the sample's own label out of the batch",
            "any",
            "a read-out that is not linear",
            "at most H(Y) on average; overfits the training samples",
        ),
    ),
    "Y:mine": Registered(
        "critic.CriticInformation",
        "MINE of I(Y; T)",
        settings={"of": "y", "bound": "mine"},
        guide=Guide(
            "the Donsker-Varadhan bound on I(Y; T)",
            "any",
            "to reproduce the published MOLE and bottleneck results",
            "as `X:mine`",
        ),
    ),
    "Y:nwj": Registered(
        "critic.CriticInformation",
        "NWJ bound on I(Y; T)",
        settings={"of": "y", "bound": "nwj"},
        guide=Guide(
            "the Nguyen-Wainwright-Jordan bound on I(Y; T)", "any", "for comparison with `Y:mine`", "as `X:nwj`"
        ),
    ),
    "Y:jsd": Registered(
        "critic.CriticInformation",
        "Jensen-Shannon information of Y and T",
        settings={"of": "y", "bound": "jsd"},
        guide=Guide(
            "Jensen-Shannon divergence between true and shuffled pairs",
            "any",
            "the most stable of the critics to train",
            "as `X:jsd`",
        ),
    ),
    "Y:renyi": Registered(
        "renyi.RenyiInformation",
        "matrix-based Renyi information of Y and T",
        settings={"of": "y"},
        guide=Guide(
            "matrix-based Rényi information of Y and T",
            "any",
            "to reproduce the published MOLE results",
            "without batch norm or standardised outputs it can collapse to the majority class; computes eigenvalues: "
            "time n³",
        ),
    ),
    "Y:supcon": Registered(
        "contrastive.SupervisedContrastive",
        "supervised contrastive bound on I(Y; T)",
        guide=Guide(
            "I(Y; T), by samples that pick out their own class in the batch",
            "any",
            "with `Y` (`Y:supcon+Y`) where `Y` alone is not enough",
            "needs several samples of each class in a batch",
        ),
    ),
    "Y:hsic": Registered(
        "hsic.HSICBottleneck",
        "HSIC bottleneck: dependence on Y, less dependence on X",
        guide=Guide(
            "HSIC with Y, minus HSIC with X divided by `label_weight`",
            "any",
            "nothing to train beside the module",
            "its value depends on the kernel width; inverts a float64 matrix: time n³",
        ),
    ),
    "Y:kernel": Registered(
        "similarity.KernelAlignment",
        "pairwise kernel of the classes (Duan, Yu & Principe)",
        guide=Guide(
            'agreement of the cosine similarities of T with "same class or not"',
            "any",
            'nothing to train beside the module; labels that only say "same class or not"',
            "ReLU units may die: put a norm before them",
        ),
    ),
    "Y:predsim": Registered(
        "similarity.PredictiveSimilarity",
        "similarity matching and a local prediction (Nokland)",
        guide=Guide(
            "agreement of the similarities of T with those of the labels, plus a read-out's bound",
            "T vectors or grid",
            "convolutions and residual blocks",
            "0.99 of its weight is on the similarities; the read-out gets the rest (`similarity_weight`)",
        ),
    ),
    "Y:forward-forward": Registered(
        "forward_forward.ForwardForward",
        "Forward-Forward: goodness of right labels",
        guide=Guide(
            "goodness of inputs with the right label written on X, minus that with wrong labels",
            "X real, with space for a label",
            "for comparison",
            'every module but the first needs an input of fixed length (`norm="length"`)',
        ),
    ),
    "Y:graph-forward-forward": Registered(
        "graph_forward_forward.GraphForwardForward",
        "Forward-Forward, labels beside the nodes' features",
        needs="graphs",
        guide=Guide(
            "goodness of graphs with the right label written on the nodes, minus that with wrong labels",
            "X real, with space for a label",
            "for comparison, on graphs",
            "as `Y:forward-forward`; a node sees the labels written on its neighbours",
        ),
    ),
    "Y:associated": Registered(
        "associated.AssociatedLearning",
        "Associated Learning: a bridge to a code of the label",
        guide=Guide(
            "similarity of T, mapped by a bridge, to a learnt code of the label",
            "any",
            "for comparison",
            "T follows a code that is itself still being learnt",
        ),
    ),
    "Y:vib": Registered(
        "variational.VariationalBottleneck",
        "variational bottleneck: a noisy code of T and its rate",
        guide=Guide(
            "I(Y; Z) of a noisy code Z of T, by a read-out, minus beta times the code's rate (an upper bound on "
            "I(X; Z))",
            "any",
            "compression with a finite cost ([remedies](remedies.md))",
            "code and noise stay inside the objective; `layer=...` puts them into the network",
        ),
    ),
    "Y:soft-decision": Registered(
        "decision.SoftDecisionInformation",
        "I(Y; Yhat), Yhat drawn by a softmax of T",
        guide=Guide(
            "I(Y; Ŷ), Ŷ drawn from a linear softmax of T, in closed form",
            "any",
            "like `Y`, where the information in a decision is what counts",
            "does not care which class is called what: for the last module use `CE`",
        ),
    ),
    "Y:squared-error": Registered(
        "squared_error.SquaredError",
        "squared error of the output and one-hot Y",
        settings={"target": "y"},
        guide=Guide(
            "minus the squared error between T and the target, classes as one-hot vectors",
            "T class scores, or shaped as real Y",
            "the last module: regression; classes where a paper does so",
            "for classes `CE` is the usual choice",
        ),
    ),
    "CE": Registered(
        "labels.CrossEntropy",
        "cross-entropy of the module's own output: the output module",
        guide=Guide(
            "log-likelihood of the label under T itself",
            "T class scores",
            "the last module",
            "a linear layer alone often needs a larger learning rate than the modules before it",
        ),
    ),
}

SHORT = {"X": "X:reconstruction", "Y": "Y:readout", "MSE": "Y:squared-error"}
