"""What the methods that a run may use are cited by, each once."""

from __future__ import annotations

REFERENCES = {
    "paper": "Henriques G, Abbasi M, Martins D, Arrais JP. Integrating AI and genomics: predictive "
    "CNN models for schizophrenia phenotypes. 2025.",
    "association": "Clarke GM et al. Basic statistical analysis in genetic case-control studies. "
    "Nat Protoc 2011;6:121-133.",
    "trend": "Armitage P. Tests for linear trends in proportions and frequencies. Biometrics "
    "1955;11:375-386.",
    "fisher": "Freeman GH, Halton JH. Note on an exact treatment of contingency, goodness of fit "
    "and other problems of significance. Biometrika 1951;38:141-149.",
    "hwe": "Wigginton JE, Cutler DJ, Abecasis GR. A note on exact tests of Hardy-Weinberg "
    "equilibrium. Am J Hum Genet 2005;76:887-893.",
    "king": "Manichaikul A et al. Robust relationship inference in genome-wide association "
    "studies. Bioinformatics 2010;26:2867-2873.",
    "lasso": "Tibshirani R. Regression shrinkage and selection via the lasso. J R Stat Soc B "
    "1996;58:267-288.",
    "ridge": "le Cessie S, van Houwelingen JC. Ridge estimators in logistic regression. Appl Stat "
    "1992;41:191-201.",
    "boosting": "Friedman JH. Greedy function approximation: a gradient boosting machine. Ann Stat "
    "2001;29:1189-1232.",
    "clumping": "Purcell S et al. PLINK: a tool set for whole-genome association and "
    "population-based linkage analyses. Am J Hum Genet 2007;81:559-575.",
    "batch_norm": "Ioffe S, Szegedy C. Batch normalization: accelerating deep network training by "
    "reducing internal covariate shift. ICML 2015.",
    "dropout": "Srivastava N et al. Dropout: a simple way to prevent neural networks from "
    "overfitting. J Mach Learn Res 2014;15:1929-1958.",
    "channel_dropout": "Tompson J et al. Efficient object localization using convolutional "
    "networks. CVPR 2015.",
    "block_dropout": "Ghiasi G, Lin T-Y, Le QV. DropBlock: a regularization method for "
    "convolutional networks. NeurIPS 2018.",
    "channel_attention": "Hu J, Shen L, Sun G. Squeeze-and-excitation networks. CVPR 2018.",
    "spatial_attention": "Woo S et al. CBAM: convolutional block attention module. ECCV 2018.",
    "adam": "Kingma DP, Ba J. Adam: a method for stochastic optimization. ICLR 2015.",
    "adamw": "Loshchilov I, Hutter F. Decoupled weight decay regularization. ICLR 2019.",
    "cosine": "Loshchilov I, Hutter F. SGDR: stochastic gradient descent with warm restarts. ICLR "
    "2017.",
    "youden": "Youden WJ. Index for rating diagnostic tests. Cancer 1950;3:32-35.",
    "wilson": "Wilson EB. Probable inference, the law of succession, and statistical inference. "
    "J Am Stat Assoc 1927;22:209-212.",
    "delong": "DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more "
    "correlated receiver operating characteristic curves. Biometrics 1988;44:837-845.",
    "tripod": "Collins GS et al. TRIPOD+AI statement: updated guidance for reporting clinical "
    "prediction models that use regression or machine learning methods. BMJ 2024;385:e078378.",
}
