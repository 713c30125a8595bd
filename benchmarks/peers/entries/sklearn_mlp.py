import warnings

from sklearn.neural_network import MLPClassifier


def prepare(x, y, widths):
    warnings.simplefilter("ignore")
    net = MLPClassifier(widths, batch_size=len(x), alpha=0.0, tol=0.0, warm_start=True)
    net.n_iter_no_change = 10**9

    def train(epochs):
        net.max_iter = epochs
        net.fit(x, y.ravel())

    return train
