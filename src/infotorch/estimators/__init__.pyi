"""Estimators: paired samples -> `Estimate`, in nats; bounds that a critic reaches; measures of dependence."""

from infotorch.estimators.amortised import amortised_mi as amortised_mi
from infotorch.estimators.architecture import architecture_aware_mine as architecture_aware_mine
from infotorch.estimators.binned import binned_mi as binned_mi
from infotorch.estimators.bounds import MineGradient as MineGradient
from infotorch.estimators.bounds import donsker_varadhan as donsker_varadhan
from infotorch.estimators.bounds import infonce as infonce
from infotorch.estimators.bounds import jsd as jsd
from infotorch.estimators.bounds import log_mean_exp as log_mean_exp
from infotorch.estimators.bounds import nwj as nwj
from infotorch.estimators.bounds import smile as smile
from infotorch.estimators.bounds_upper import club as club
from infotorch.estimators.bounds_upper import leave_one_out_upper as leave_one_out_upper
from infotorch.estimators.channel import gaussian_channel_bound as gaussian_channel_bound
from infotorch.estimators.channel import infonce_known_channel as infonce_known_channel
from infotorch.estimators.channel import leave_one_out_bound as leave_one_out_bound
from infotorch.estimators.channel import pairwise_bounds as pairwise_bounds
from infotorch.estimators.choose import mutual_information as mutual_information
from infotorch.estimators.class_neighbours import ross as ross
from infotorch.estimators.conditional import conditional_discrete_mi as conditional_discrete_mi
from infotorch.estimators.conditional import conditional_gaussian_mi as conditional_gaussian_mi
from infotorch.estimators.conditional import conditional_ksg as conditional_ksg
from infotorch.estimators.conditional import conditional_mixed_ksg as conditional_mixed_ksg
from infotorch.estimators.critics import BilinearCritic as BilinearCritic
from infotorch.estimators.critics import Critic as Critic
from infotorch.estimators.critics import EncoderCritic as EncoderCritic
from infotorch.estimators.critics import JointCritic as JointCritic
from infotorch.estimators.critics import SeparableCritic as SeparableCritic
from infotorch.estimators.decision import hard_decision_mi as hard_decision_mi
from infotorch.estimators.decision import hard_decisions as hard_decisions
from infotorch.estimators.decision import soft_decision_label_mi as soft_decision_label_mi
from infotorch.estimators.dependence import DependenceKernel as DependenceKernel
from infotorch.estimators.dependence import cka as cka
from infotorch.estimators.dependence import hsic as hsic
from infotorch.estimators.discrete import Correction as Correction
from infotorch.estimators.discrete import discrete_entropy as discrete_entropy
from infotorch.estimators.discrete import discrete_mi as discrete_mi
from infotorch.estimators.ensemble import ksg_ensemble as ksg_ensemble
from infotorch.estimators.entropy import kozachenko_leonenko_entropy as kozachenko_leonenko_entropy
from infotorch.estimators.estimate import Estimate as Estimate
from infotorch.estimators.estimate import Side as Side
from infotorch.estimators.gaussian import canonical_correlations as canonical_correlations
from infotorch.estimators.gaussian import gaussian_copula_mi as gaussian_copula_mi
from infotorch.estimators.gaussian import gaussian_mi as gaussian_mi
from infotorch.estimators.gaussian import gaussian_mi_cca as gaussian_mi_cca
from infotorch.estimators.gaussianised import gaussianised_mi as gaussianised_mi
from infotorch.estimators.kraskov import ksg as ksg
from infotorch.estimators.labels import readout_mi as readout_mi
from infotorch.estimators.labels import soft_decision_mi as soft_decision_mi
from infotorch.estimators.labels import supervised_contrastive as supervised_contrastive
from infotorch.estimators.matrix import MIMatrix as MIMatrix
from infotorch.estimators.matrix import mi_matrix as mi_matrix
from infotorch.estimators.mixed import mixed_ksg as mixed_ksg
from infotorch.estimators.neural import BoundName as BoundName
from infotorch.estimators.neural import CriticName as CriticName
from infotorch.estimators.neural import neural_mi as neural_mi
from infotorch.estimators.reconstruction import gaussian_log_likelihood as gaussian_log_likelihood
from infotorch.estimators.reconstruction import reconstruction_bound as reconstruction_bound
from infotorch.estimators.registry import describe_estimators as describe_estimators
from infotorch.estimators.renyi import renyi_entropy as renyi_entropy
from infotorch.estimators.renyi import renyi_mi as renyi_mi
from infotorch.estimators.renyi import renyi_normalised_mi as renyi_normalised_mi
from infotorch.estimators.renyi_multivariate import channel_views as channel_views
from infotorch.estimators.renyi_multivariate import renyi_joint_entropy as renyi_joint_entropy
from infotorch.estimators.renyi_multivariate import renyi_multivariate_mi as renyi_multivariate_mi
from infotorch.estimators.renyi_multivariate import renyi_total_correlation as renyi_total_correlation
from infotorch.estimators.renyi_randomised import renyi_entropy_randomised as renyi_entropy_randomised
from infotorch.estimators.renyi_randomised import renyi_mi_randomised as renyi_mi_randomised
from infotorch.estimators.spatial import ScoreBound as ScoreBound
from infotorch.estimators.spatial import Scores as Scores
from infotorch.estimators.spatial import dim_global as dim_global
from infotorch.estimators.spatial import dim_grid as dim_grid
from infotorch.estimators.spatial import dim_local as dim_local
from infotorch.estimators.spatial import prior_matching as prior_matching
from infotorch.numerics.frames import Missing as Missing
from infotorch.numerics.kernels import Bandwidth as Bandwidth
from infotorch.numerics.kernels import Kernel as Kernel
from infotorch.numerics.neighbours import Metric as Metric
from infotorch.numerics.typing import ArrayLike as ArrayLike
HOMES: dict[str, str]
__all__ = [
    "ArrayLike",
    "Bandwidth",
    "BilinearCritic",
    "BoundName",
    "Correction",
    "Critic",
    "CriticName",
    "DependenceKernel",
    "EncoderCritic",
    "Estimate",
    "JointCritic",
    "Kernel",
    "MIMatrix",
    "Metric",
    "MineGradient",
    "Missing",
    "ScoreBound",
    "Scores",
    "SeparableCritic",
    "Side",
    "amortised_mi",
    "architecture_aware_mine",
    "binned_mi",
    "canonical_correlations",
    "channel_views",
    "cka",
    "club",
    "conditional_discrete_mi",
    "conditional_gaussian_mi",
    "conditional_ksg",
    "conditional_mixed_ksg",
    "describe_estimators",
    "dim_global",
    "dim_grid",
    "dim_local",
    "discrete_entropy",
    "discrete_mi",
    "donsker_varadhan",
    "gaussian_channel_bound",
    "gaussian_copula_mi",
    "gaussian_log_likelihood",
    "gaussian_mi",
    "gaussian_mi_cca",
    "gaussianised_mi",
    "hard_decision_mi",
    "hard_decisions",
    "hsic",
    "infonce",
    "infonce_known_channel",
    "jsd",
    "kozachenko_leonenko_entropy",
    "ksg",
    "ksg_ensemble",
    "leave_one_out_bound",
    "leave_one_out_upper",
    "log_mean_exp",
    "mi_matrix",
    "mixed_ksg",
    "mutual_information",
    "neural_mi",
    "nwj",
    "pairwise_bounds",
    "prior_matching",
    "readout_mi",
    "reconstruction_bound",
    "renyi_entropy",
    "renyi_entropy_randomised",
    "renyi_joint_entropy",
    "renyi_mi",
    "renyi_mi_randomised",
    "renyi_multivariate_mi",
    "renyi_normalised_mi",
    "renyi_total_correlation",
    "ross",
    "smile",
    "soft_decision_label_mi",
    "soft_decision_mi",
    "supervised_contrastive",
]
