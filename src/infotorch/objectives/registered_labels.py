"""The registered objectives that need labels."""

from __future__ import annotations

from infotorch.objectives.entry import Guide, Registered

OF_LABELS: dict[str, Registered] = {
    "Y:readout": Registered(
        "labels.ReadoutInformation",
        "read-out bound H(Y) - CE on I(Y; T); short: Y",
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
    "Y:infopro": Registered(
        "infopro.InfoPro",
        "InfoPro: what makes the image, and what tells its label",
        needs="images",
        guide=Guide(
            "I(Y; T) by a read-out behind convolutions, minus the error of the image made again from T",
            "T grid, X images",
            "deep convolutional networks cut into a few modules",
            "two auxiliary networks for each module; `reconstruction_weight` says how much of the image is kept",
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
        "squared error of the output and Y, classes as one-hot vectors; short: MSE",
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
