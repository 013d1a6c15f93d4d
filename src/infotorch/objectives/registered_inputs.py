"""The registered objectives that need no label."""

from __future__ import annotations

from infotorch.objectives.entry import Guide, Registered

OF_INPUTS: dict[str, Registered] = {
    "X:reconstruction": Registered(
        "inputs.Reconstruction",
        "reconstruction bound on I(X; T) by a linear decoder; short: X",
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
}
