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
            "log-likelihood of X by a linear decoder of T, in nats: I(X; T) less h(X)",
            "X real",
            "tables, a first try without labels",
            "keeps what has most variance, like PCA, and that need not be what the label hangs on",
        ),
    ),
    "X:squared-error": Registered(
        "squared_error.SquaredError",
        "squared error of the output and X",
        settings={"target": "x"},
        guide=Guide(
            "likeness of T and X, entry by entry",
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
            "I(X; T) by a critic that finds the row's own X in the batch",
            "X real",
            "when X is too odd for a decoder",
            "ceiling log n: a deterministic layer soon reaches it, and then learns nothing more",
        ),
    ),
    "X:mine": Registered(
        "critic.CriticInformation",
        "MINE of I(X; T)",
        settings={"of": "x", "bound": "mine"},
        guide=Guide(
            "I(X; T) by Donsker and Varadhan",
            "X real",
            "the published MOLE rows",
            "variance; on training rows it overstates",
        ),
    ),
    "X:nwj": Registered(
        "critic.CriticInformation",
        "NWJ bound on I(X; T)",
        settings={"of": "x", "bound": "nwj"},
        guide=Guide(
            "I(X; T) by Nguyen, Wainwright and Jordan",
            "X real",
            "for comparison with `X:mine`: unbiased gradient",
            "variance grows as exp(I)",
        ),
    ),
    "X:jsd": Registered(
        "critic.CriticInformation",
        "Jensen-Shannon information of X and T",
        settings={"of": "x", "bound": "jsd"},
        guide=Guide(
            "Jensen-Shannon divergence of pairs together and apart",
            "X real",
            "the steadiest of the critics to train",
            "at most log 2, and no information",
        ),
    ),
    "X:renyi": Registered(
        "renyi.RenyiInformation",
        "matrix-based Renyi information of X and T",
        settings={"of": "x"},
        guide=Guide(
            "matrix-based Rényi information of X and T",
            "any",
            "no critic, small batches",
            "its value depends on the kernel width; eigenvalues: n³",
        ),
    ),
    "X:dim": Registered(
        "spatial.DeepInfoMax",
        "Deep InfoMax, local and global, of an image",
        settings={"scope": "both"},
        needs="images",
        guide=Guide(
            "Jensen-Shannon divergence of T's locations and patches of X, and of the whole of both",
            "T grid, X images",
            "the published DIM rows",
            "below `X:views` on digits (0.944 against 0.969 in [examples/cnn.py](../examples/cnn.py)); memory n² "
            "for each place",
        ),
    ),
    "X:dim-local": Registered(
        "spatial.DeepInfoMax",
        "Deep InfoMax with the locations of an image",
        settings={"scope": "local"},
        needs="images",
        guide=Guide("its local half", "T grid, X images", "as `X:dim`", "as `X:dim`"),
    ),
    "X:dim-global": Registered(
        "spatial.DeepInfoMax",
        "Deep InfoMax with the whole image",
        settings={"scope": "global"},
        needs="images",
        guide=Guide(
            "its global half",
            "T grid, X images",
            "as `X:dim`, cheaper",
            "few nats say which image it was, and those need not be the useful ones",
        ),
    ),
    "X:views": Registered(
        "views.ViewInformation",
        "InfoNCE between views: moved images, mixed rows",
        guide=Guide(
            "I(X; T) that two views of the row share, by InfoNCE",
            "X images or vectors, real",
            "images without labels: the first choice",
            "the views decide what is ignored: turned digits are the same digit, turned letters may not be",
        ),
    ),
    "X:greedy-infomax": Registered(
        "spatial.GreedyInfoMax",
        "Greedy InfoMax: locations of an image predict locations below",
        needs="images",
        guide=Guide(
            "information between T at a location and T some rows below",
            "T grid",
            "large images with structure at many locations",
            "small receptive fields: neighbours share pixels, and the bound is met without learning",
        ),
    ),
    "X:node-infonce": Registered(
        "graph_nodes.NodeInformation",
        "InfoNCE of nodes' features",
        settings={"bound": "infonce"},
        needs="graphs",
        guide=Guide(
            "I(h; x) of a node's T and its own features, by a critic that finds them among other graphs'",
            "T nodes, X real",
            "graphs: every layer before the read-out, where the node's own kind counts",
            "edges do not matter to it; ceiling log of the nodes drawn",
        ),
    ),
    "X:node-mine": Registered(
        "graph_nodes.NodeInformation",
        "MINE of nodes' features",
        settings={"bound": "mine"},
        needs="graphs",
        guide=Guide(
            "the same by Donsker and Varadhan", "T nodes, X real", "the published MOLE rows on graphs", "as `X:mine`"
        ),
    ),
    "X:gmi": Registered(
        "graph_nodes.GraphicalInformation",
        "features of a node and its neighbours, and edges",
        needs="graphs",
        guide=Guide(
            "Jensen-Shannon divergences: T with own and neighbours' features, and edges told by T",
            "T nodes, X real",
            "graphs with few labelled nodes: the first choice",
            "with its default bound no information; neighbours' features count even where they are of another class",
        ),
    ),
    "X:dgi": Registered(
        "graph_summary.DeepGraphInfomax",
        "nodes against a summary, beside corrupted nodes",
        needs="graphs",
        guide=Guide(
            "Jensen-Shannon divergence of nodes and corrupted nodes, against a summary",
            "T nodes, X real",
            "for comparison on one large graph; the cheapest",
            "a summary of many nodes is nearly the same for all of them",
        ),
    ),
    "X:infograph": Registered(
        "graph_summary.InfoGraph",
        "nodes against the summaries of all graphs",
        needs="graphs",
        guide=Guide(
            "Jensen-Shannon divergence of nodes with their own graph's summary and with others'",
            "T nodes or graphs, X real",
            "many graphs, before or behind the read-out",
            "two graphs a batch at least; tells graphs apart by whatever is easiest, their size too",
        ),
    ),
    "X:graph-renyi": Registered(
        "graph_renyi.GraphRenyiInformation",
        "Renyi information, nodes and neighbours",
        needs="graphs",
        guide=Guide(
            "matrix-based Rényi information of T with nodes and their neighbours' mean",
            "T nodes or graphs, X real",
            "the published MOLE rows on graphs",
            "as `X:renyi`; compares some nodes, drawn in every step",
        ),
    ),
    "Y:readout": Registered(
        "labels.ReadoutInformation",
        "read-out bound H(Y) - CE on I(Y; T)",
        guide=Guide(
            "I(Y; T) by a linear read-out: H(Y) less its cross-entropy; of real Y its Gaussian gain",
            "any",
            "the first choice with labels",
            "sees what a linear layer sees; of a grid it sees every location, which the next module may only "
            "average; `locations=4` averages first",
        ),
    ),
    "Y:infonce": Registered(
        "critic.CriticInformation",
        "InfoNCE bound on I(Y; T)",
        settings={"of": "y", "bound": "infonce"},
        guide=Guide(
            "I(Y; T) by a critic that finds the row's own label in the batch",
            "any",
            "a read-out that is not linear",
            "H(Y) on average is its ceiling; learns training rows by heart",
        ),
    ),
    "Y:mine": Registered(
        "critic.CriticInformation",
        "MINE of I(Y; T)",
        settings={"of": "y", "bound": "mine"},
        guide=Guide("I(Y; T) by Donsker and Varadhan", "any", "the published MOLE and bottleneck rows", "as `X:mine`"),
    ),
    "Y:nwj": Registered(
        "critic.CriticInformation",
        "NWJ bound on I(Y; T)",
        settings={"of": "y", "bound": "nwj"},
        guide=Guide("I(Y; T) by Nguyen, Wainwright and Jordan", "any", "for comparison with `Y:mine`", "as `X:nwj`"),
    ),
    "Y:jsd": Registered(
        "critic.CriticInformation",
        "Jensen-Shannon information of Y and T",
        settings={"of": "y", "bound": "jsd"},
        guide=Guide(
            "Jensen-Shannon divergence of pairs together and apart",
            "any",
            "the steadiest of the critics to train",
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
            "the published MOLE rows",
            "without batch norm or standardising it can collapse to the majority class; eigenvalues: n³",
        ),
    ),
    "Y:supcon": Registered(
        "contrastive.SupervisedContrastive",
        "supervised contrastive bound on I(Y; T)",
        guide=Guide(
            "I(Y; T) by rows that find their class in the batch",
            "any",
            "with `Y` (`Y:supcon+Y`) where `Y` alone is not enough",
            "needs several rows of a class in a batch",
        ),
    ),
    "Y:hsic": Registered(
        "hsic.HSICBottleneck",
        "HSIC bottleneck: dependence on Y, less dependence on X",
        guide=Guide(
            "HSIC with Y, less HSIC with X over `label_weight`",
            "any",
            "no part to train beside the module",
            "its value depends on the kernel width; float64 and an inverse: n³",
        ),
    ),
    "Y:kernel": Registered(
        "similarity.KernelAlignment",
        "pairwise kernel of the classes (Duan, Yu & Principe)",
        guide=Guide(
            'likeness of the cosines of T and "same class or not"',
            "any",
            'no part to train, "same or not" is all that is known',
            "ReLU units may die of it: put a norm before",
        ),
    ),
    "Y:predsim": Registered(
        "similarity.PredictiveSimilarity",
        "similarity matching and a local prediction (Nokland)",
        guide=Guide(
            "likeness of similarities of T and of labels, and a read-out's bound",
            "T vectors or grid",
            "convolutions and residual blocks",
            "0.99 of its weight is on the likeness; the read-out gets the rest (`similarity_weight`)",
        ),
    ),
    "Y:forward-forward": Registered(
        "forward_forward.ForwardForward",
        "Forward-Forward: goodness of right labels",
        guide=Guide(
            "goodness of right labels written on X, less that of wrong ones",
            "X real, room for a label",
            "for comparison",
            'every module but the first needs an input of fixed length (`norm="length"`)',
        ),
    ),
    "Y:graph-forward-forward": Registered(
        "graph_forward_forward.GraphForwardForward",
        "Forward-Forward, labels beside the nodes' features",
        needs="graphs",
        guide=Guide(
            "goodness of right labels written on the nodes, less that of wrong ones",
            "X real, room for a label",
            "for comparison, on graphs",
            "as `Y:forward-forward`; a node sees the labels written on its neighbours",
        ),
    ),
    "Y:associated": Registered(
        "associated.AssociatedLearning",
        "Associated Learning: a bridge to a code of the label",
        guide=Guide(
            "likeness of bridged T and a code of the label",
            "any",
            "for comparison",
            "T follows a code that is still being learnt",
        ),
    ),
    "Y:vib": Registered(
        "variational.VariationalBottleneck",
        "variational bottleneck: a noisy code of T and its rate",
        guide=Guide(
            "I(Y; Z) of a noisy code Z of T, by a read-out, less beta times the code's rate, a bound from above "
            "on I(X; Z)",
            "any",
            "compression with a finite price ([remedies](remedies.md))",
            "code and noise stay in the objective; `layer=...` puts them into the network",
        ),
    ),
    "Y:soft-decision": Registered(
        "decision.SoftDecisionInformation",
        "I(Y; Yhat), Yhat drawn by a softmax of T",
        guide=Guide(
            "I(Y; Ŷ), Ŷ drawn from a linear softmax of T, in closed form",
            "any",
            "as `Y`, where a decision's information is asked for",
            "does not care which class has which name; for the last module use `CE`",
        ),
    ),
    "Y:squared-error": Registered(
        "squared_error.SquaredError",
        "squared error of the output and one-hot Y",
        settings={"target": "y"},
        guide=Guide(
            "likeness of T and the target, classes one-hot",
            "T class scores, or as real Y",
            "the last module: regression; classes where a paper does so",
            "for classes `CE` is the customary choice",
        ),
    ),
    "CE": Registered(
        "labels.CrossEntropy",
        "cross-entropy of the module's own output: the output module",
        guide=Guide(
            "likelihood of the label by T itself",
            "T class scores",
            "the last module",
            "a linear layer alone often wants a larger rate than the modules before it",
        ),
    ),
}

#: short names
SHORT = {"X": "X:reconstruction", "Y": "Y:readout", "MSE": "Y:squared-error"}
